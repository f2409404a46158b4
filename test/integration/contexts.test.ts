import { PutCommand } from "@aws-sdk/lib-dynamodb";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import type { DynamoDbEngine } from "../../local/dynamodb/engine.ts";
import { noContext } from "../../shared/domain/allocation-context.ts";
import { keys } from "../../shared/storage/table.ts";
import { engines } from "../support/engines.ts";
import { inParallel } from "../support/in-parallel.ts";
import { createTable } from "../support/table.ts";

type Contexts = typeof import("../../shared/storage/contexts.ts");
type Client = typeof import("../../shared/storage/client.ts");

describe.each(engines)("contexts of allocations on $name", ({ start }) => {
  let engine: DynamoDbEngine;
  let contexts: Contexts;
  let client: Client;
  beforeAll(async () => {
    engine = await start();
    await createTable(engine);
    contexts = await import("../../shared/storage/contexts.ts");
    client = await import("../../shared/storage/client.ts");
  });
  afterAll(() => engine.close());

  const aContext = (occurenceId: string | null, seriesId: string | null = null) => ({
    ...noContext,
    occurenceId,
    seriesId,
  });

  it("stores nothing for a call without identifiers", async () => {
    expect(await contexts.contextIdOf("p", noContext)).toBe("");
    expect(await contexts.contextsOf("p", [""])).toEqual(new Map([["", noContext]]));
  });

  it("gives back under a five-character id what was stored", async () => {
    const context = { occurenceId: 'send, "1"', seriesId: null, actionId: "größe 🎁" };

    const id = await contexts.contextIdOf("p", context);

    expect(id).toMatch(/^[A-Za-z0-9_-]{5}$/);
    expect(await contexts.contextsOf("p", [id, ""])).toEqual(
      new Map([
        [id, context],
        ["", noContext],
      ]),
    );
  });

  it("tells apart contexts whose values only look alike", async () => {
    const alike = [aContext("a,b"), aContext("a", "b"), aContext(null, "a,b"), aContext("null", "b")];

    const ids = await Promise.all(alike.map((context) => contexts.contextIdOf("p", context)));

    expect(new Set(ids).size).toBe(alike.length);
  });

  it("takes a longer id when the short one belongs to another context", async () => {
    const context = aContext("taken");
    const shortId = await contexts.contextIdOf("p", context);
    await client.dynamoDb.send(
      new PutCommand({
        TableName: client.tableName(),
        Item: { ...keys.context("p", shortId), contextId: shortId, ...aContext("another") },
      }),
    );
    vi.resetModules();

    const restarted = await import("../../shared/storage/contexts.ts");
    const id = await restarted.contextIdOf("p", context);

    expect(id).toHaveLength(6);
    expect(id.startsWith(shortId)).toBe(true);
    expect(await restarted.contextsOf("p", [shortId, id])).toEqual(
      new Map([
        [shortId, aContext("another")],
        [id, context],
      ]),
    );
  });

  it("keeps its id after a restart", async () => {
    const context = aContext("found again");
    const id = await contexts.contextIdOf("p", context);
    vi.resetModules();

    const restarted = await import("../../shared/storage/contexts.ts");

    expect(await restarted.contextIdOf("p", context)).toBe(id);
  });

  it("reads more contexts than one call can hold", async () => {
    const sends = Array.from({ length: 250 }, (_, index) => `send-${index}`);
    const ids = await inParallel(sends, (send) => contexts.contextIdOf("many", aContext(send)));

    const found = await contexts.contextsOf("many", ids);

    expect(found.size).toBe(250);
    expect(ids.map((id) => found.get(id)?.occurenceId)).toEqual(sends);
  });

  it("says so when a slot names a context that is not there", async () => {
    await expect(contexts.contextsOf("p", ["none1"])).rejects.toThrow(
      "Promocode p: 1 context(s) that slots name",
    );
  });
});
