import { GetCommand, PutCommand, UpdateCommand } from "@aws-sdk/lib-dynamodb";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { DynamoDbEngine } from "../../local/dynamodb/engine.ts";
import type { Allocation } from "../../shared/contract/allocations.ts";
import { exportColumns } from "../../shared/contract/exports.ts";
import { type Key, keys } from "../../shared/storage/table.ts";
import { aFaultWorld, type FaultWorld, type KnownPool } from "../faults/fault-world.ts";
import { readPool } from "../faults/pool-truth.ts";
import { someCodes } from "../support/codes.ts";
import { engines } from "../support/engines.ts";

/** A proof that finds nothing wrong is worth what it would have found. */
describe("the proof of a pool", () => {
  let engine: DynamoDbEngine;
  let world: FaultWorld;
  let dynamoDb: typeof import("../../shared/storage/client.ts").dynamoDb;
  let pool: KnownPool;
  let answer: Allocation;
  beforeAll(async () => {
    engine = await engines[0]!.start();
    world = await aFaultWorld(engine);
  });
  afterAll(async () => {
    await world.close();
    await engine.close();
  });

  /** Two holders in a pool of 30 codes, with a context. */
  const aSoundPool = async () => {
    const service = await world.anAllocatingProcess();
    ({ dynamoDb } = await import("../../shared/storage/client.ts"));
    pool = await world.aPool(someCodes(30));
    answer = (await service.allocate(pool, { customerId: "ada", occurenceId: "send" })).body;
    await service.allocate(pool, { customerId: "bob", occurenceId: "send" });
  };
  const cells = async () => {
    const { files } = await readPool(world.table, pool.promocodeId);
    return files.flatMap((file) => file.cells);
  };
  const cellKey = async (isWanted: (cell: Awaited<ReturnType<typeof cells>>[number]) => boolean) => {
    const found = (await cells()).find(isWanted);
    return keys.cell({ promocodeId: pool.promocodeId, ...found!.address });
  };
  const ofAda = () => cellKey(({ tokens }) => tokens.includes("ada"));
  const withoutAda = () => cellKey(({ tokens, codes }) => !tokens.includes("ada") && codes.length > 2);
  const change = async (key: Key, update: string, values: Record<string, unknown>) => {
    await dynamoDb.send(
      new UpdateCommand({
        TableName: world.table.tableName,
        Key: key,
        UpdateExpression: update,
        ExpressionAttributeValues: values,
      }),
    );
  };
  const put = (item: Record<string, unknown>) =>
    dynamoDb.send(new PutCommand({ TableName: world.table.tableName, Item: item }));
  const codesIn = async (key: Key) => {
    const { Item } = await dynamoDb.send(new GetCommand({ TableName: world.table.tableName, Key: key }));
    return String(Item?.c).split("\n");
  };

  it("finds nothing wrong with a sound pool", async () => {
    await aSoundPool();

    const { given, free } = await world.prove(pool, { answers: [answer] });

    expect([given.length, free.length]).toEqual([2, 28]);
  });

  it.each<[string, () => Promise<unknown>, RegExp]>([
    [
      "a code that was lost",
      async () => {
        const key = await withoutAda();
        const [, ...others] = await codesIn(key);
        await change(key, "SET c = :c, k = :k", { ":c": others.join("\n"), ":k": others.length });
      },
      /is lost/,
    ],
    [
      "a code in two cells",
      async () => {
        const [twice] = await codesIn(await ofAda());
        const key = await withoutAda();
        const [, ...others] = await codesIn(key);
        await change(key, "SET c = :c", { ":c": [twice, ...others].join("\n") });
      },
      /code-twice/,
    ],
    [
      "a customer with two codes",
      async () =>
        change(await withoutAda(), "SET u = list_append(u, :u), t = list_append(t, :t)", {
          ":u": ["ada"],
          ":t": ["Q87h6F8"],
        }),
      /holder-twice/,
    ],
    [
      "a holder who was forgotten",
      async () => change(await ofAda(), "SET u = :none, t = :none", { ":none": [] }),
      /was answered, but nobody holds it/,
    ],
    [
      "a holder without a time",
      async () => change(await ofAda(), "SET t = :none", { ":none": [] }),
      /stamps-differ/,
    ],
    [
      "more room than codes",
      async () => change(await withoutAda(), "SET k = :k", { ":k": 99 }),
      /capacity-too-large/,
    ],
    [
      "a context that is not there",
      async () => change(await ofAda(), "SET t = :t", { ":t": ["Q87h6F8.nowhere"] }),
      /context-missing/,
    ],
    [
      "a file that is told otherwise than it is",
      () => change(keys.codeFile(pool.promocodeId, answer.fileId ?? ""), "SET codes = :none", { ":none": 0 }),
      /file-mismatch/,
    ],
  ])("finds %s", async (_what, breakIt, complaint) => {
    await aSoundPool();

    await breakIt();

    await expect(world.prove(pool, { answers: [answer] })).rejects.toThrow(complaint);
  });

  it("finds counts that differ from the scan", async () => {
    await aSoundPool();
    await put({
      ...keys.counts(pool.promocodeId, answer.fileId),
      allocated: 3,
      countedAt: answer.timestamp,
    });

    await expect(world.prove(pool, { counted: true })).rejects.toThrow("counted 3, the scan finds 2");
  });

  it("finds an export that lacks a row, and one that tells too much", async () => {
    await aSoundPool();
    const { customerId, promocodeId, promotionId, fileId, uniqueCode, timestamp } = answer;
    const row = [customerId, promocodeId, promotionId, fileId, uniqueCode, timestamp, "send", "", ""].join(
      ",",
    );
    const exported = `${exportColumns.join(",")}\n${row}\n${row.replace("ada", "eve")}\n`;

    const proof = world.prove(pool, { exported });

    await expect(proof).rejects.toThrow(/lacks bob,/);
    await expect(proof).rejects.toThrow(/tells eve,.* which is not so/);
  });
});
