import { createHash } from "node:crypto";
import { GetCommand } from "@aws-sdk/lib-dynamodb";
import { mockClient } from "aws-sdk-client-mock";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { findApiKey } from "../../../shared/storage/api-keys.ts";
import { dynamoDb } from "../../../shared/storage/client.ts";

const { compared } = vi.hoisted(() => ({ compared: [] as [string, string][] }));
vi.mock("node:crypto", async (original) => {
  const crypto = await original<typeof import("node:crypto")>();
  return {
    ...crypto,
    timingSafeEqual: (one: Buffer, other: Buffer) => {
      compared.push([one.toString("hex"), other.toString("hex")]);
      return crypto.timingSafeEqual(one, other);
    },
  };
});

process.env.TABLE_NAME = "table";
const now = new Date("2026-11-23T09:00:00.000Z");
const later = "2026-11-23T10:00:00.000Z";
const secretOf = (letter: string) => `cwk_01KA0000000000000000000000_${letter.repeat(43)}`;
const hashOf = (secret: string) => createHash("sha256").update(secret).digest("hex");

describe("a key that is presented", () => {
  const table = mockClient(dynamoDb);
  const [newest, older, oldest] = ["A", "B", "C"].map(secretOf) as [string, string, string];
  beforeEach(() => {
    compared.length = 0;
    table.on(GetCommand).resolves({
      Item: {
        keyId: "key_01KA0000000000000000000000",
        name: "crm",
        scopes: ["read"],
        hash: hashOf(newest),
        previous: [
          { hash: hashOf(older), validUntil: later },
          { hash: hashOf(oldest), validUntil: "2026-11-23T08:59:59.999Z" },
        ],
        createdAt: now.toISOString(),
      },
    });
  });

  it.each([
    ["the newest secret", newest, true],
    ["the one before, which lives on", older, true],
    ["one whose grace is over", oldest, false],
    ["a wrong one", secretOf("D"), false],
  ])(
    "is compared in constant time, with every secret that lives, when it is %s",
    async (_, presented, works) => {
      const found = await findApiKey(presented, now);

      expect(found !== undefined).toBe(works);
      expect(compared).toEqual([
        [hashOf(presented), hashOf(newest)],
        [hashOf(presented), hashOf(older)],
      ]);
    },
  );
});
