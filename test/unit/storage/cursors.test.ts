import { GetCommand } from "@aws-sdk/lib-dynamodb";
import { mockClient } from "aws-sdk-client-mock";
import fc from "fast-check";
import { beforeEach, describe, expect, it } from "vitest";
import { dynamoDb } from "../../../shared/storage/client.ts";
import { decodeCursor, encodeCursor } from "../../../shared/storage/cursors.ts";

process.env.TABLE_NAME = "table";
const table = mockClient(dynamoDb);
beforeEach(() => {
  table.reset();
  table.on(GetCommand).resolves({ Item: { secret: "s".repeat(43) } });
});

const text = fc.string({ unit: "grapheme", minLength: 1, maxLength: 60 });

describe("a cursor", () => {
  it("gives back the position that it was made of, to its own list", async () => {
    await fc.assert(
      fc.asyncProperty(text, text, async (list, position) => {
        expect(await decodeCursor(list, await encodeCursor(list, position))).toBe(position);
      }),
    );
  });

  it("is refused by every other list", async () => {
    await fc.assert(
      fc.asyncProperty(text, text, text, async (list, other, position) => {
        fc.pre(list !== other);
        await expect(decodeCursor(other, await encodeCursor(list, position))).rejects.toMatchObject({
          code: "invalid-cursor",
        });
      }),
    );
  });

  it("is refused when any of its characters is another, gone or added", async () => {
    const cursor = await encodeCursor("promotions?status=", "prm_01KA5S0M7E8Q4V2B9Z6XH3TYWN");
    const characters = fc.constantFrom(
      ..."ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_+/=. ",
    );
    const altered = fc
      .tuple(fc.nat(cursor.length - 1), fc.nat(1), fc.option(characters, { nil: "" }))
      .map(([at, removed, added]) => cursor.slice(0, at) + added + cursor.slice(at + removed))
      .filter((changed) => changed !== cursor);
    await fc.assert(
      fc.asyncProperty(altered, async (forged) => {
        await expect(decodeCursor("promotions?status=", forged)).rejects.toMatchObject({
          code: "invalid-cursor",
        });
      }),
    );
  });

  it("is refused without harm, whatever it is", async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: "binary" }), async (nonsense) => {
        await expect(decodeCursor("list", nonsense)).rejects.toMatchObject({ code: "invalid-cursor" });
      }),
    );
  });

  it("is sealed with a secret that is read once", async () => {
    await encodeCursor("list", "one");
    await encodeCursor("list", "two");

    expect(table.commandCalls(GetCommand).length).toBeLessThanOrEqual(1);
  });
});
