import {
  DescribeStreamCommand,
  DynamoDBStreamsClient,
  GetRecordsCommand,
  GetShardIteratorCommand,
  ListStreamsCommand,
} from "@aws-sdk/client-dynamodb-streams";
import { GetCommand, PutCommand } from "@aws-sdk/lib-dynamodb";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { DynamoDbEngine } from "../../local/dynamodb/engine.ts";
import type { Generation } from "../../shared/pool/generation.ts";
import { generationItem } from "../../shared/storage/generations.ts";
import { keys } from "../../shared/storage/table.ts";
import { engines } from "../support/engines.ts";
import { startTestBus, type TestBus } from "../support/event-bus.ts";
import { createTable } from "../support/table.ts";

/** A promocode of its own for each test: a table each would take the second engine a second. */
let pool = "";
let pools = 0;

const noTime = new Date("2026-11-23T09:00:00.000Z");

const aGeneration = (more: Partial<Generation> = {}): Generation => ({
  number: 1,
  fileId: "fil_1",
  attempt: 1,
  codes: 100,
  shards: 4,
  cellsPerShard: 2,
  status: "published",
  ...more,
});

const images = (before: number, after: number) => ({
  OldImage: { u: { L: Array.from({ length: before }, () => ({ S: "x" })) } },
  NewImage: { u: { L: Array.from({ length: after }, () => ({ S: "x" })) } },
});

/** A cell's change from `before` to `after` holders, as Lambda delivers it. */
const cellChange = (sequence: number, before: number, after: number, { generation = 1 } = {}) => ({
  eventName: "MODIFY",
  dynamodb: {
    SequenceNumber: `10000000000000000000${sequence}`,
    Keys: { pk: { S: `c#${pool}#${String(generation).padStart(4, "0")}#1#3` }, sk: { S: "0a" } },
    ...images(before, after),
  },
});

const defaultGiven = (sequence: number, eventName = "INSERT") => ({
  eventName,
  dynamodb: {
    SequenceNumber: `10000000000000000000${sequence}`,
    Keys: { pk: { S: "customer#c#1" }, sk: { S: `default#${pool}#2026-11-23T09:00:00.000Z#a#b` } },
    NewImage: {},
  },
});

/** Everything in the table's stream, as Lambda would deliver it: JSON, shard by shard. */
const readStream = async (engine: DynamoDbEngine, tableName: string) => {
  const { endpoint, region, credentials } = engine;
  const client = new DynamoDBStreamsClient({ endpoint, region, credentials });
  const { Streams = [] } = await client.send(new ListStreamsCommand({ TableName: tableName }));
  const StreamArn = Streams[0]?.StreamArn;
  const { StreamDescription } = await client.send(new DescribeStreamCommand({ StreamArn }));
  const shards: { shardId: string; records: readonly unknown[] }[] = [];
  for (const { ShardId = "" } of StreamDescription?.Shards ?? []) {
    const position = { StreamArn, ShardId, ShardIteratorType: "TRIM_HORIZON" } as const;
    const { ShardIterator } = await client.send(new GetShardIteratorCommand(position));
    const { Records = [] } = await client.send(new GetRecordsCommand({ ShardIterator }));
    shards.push({ shardId: ShardId, records: JSON.parse(JSON.stringify(Records)) });
  }
  return shards;
};

describe.each(engines)("counts on $name", ({ start }) => {
  let engine: DynamoDbEngine;
  let bus: TestBus;
  let modules: {
    client: typeof import("../../shared/storage/client.ts");
    counts: typeof import("../../shared/storage/counts.ts");
    pool: typeof import("../../shared/storage/pool-counts.ts");
    handler: typeof import("../../functions/count-allocations/handler.ts");
  };
  beforeAll(async () => {
    engine = await start();
    bus = await startTestBus();
    await createTable(engine);
    modules = {
      client: await import("../../shared/storage/client.ts"),
      counts: await import("../../shared/storage/counts.ts"),
      pool: await import("../../shared/storage/pool-counts.ts"),
      handler: await import("../../functions/count-allocations/handler.ts"),
    };
  });
  beforeEach(async () => {
    pools += 1;
    pool = `pool-${pools}`;
    await publish(aGeneration());
  });
  afterAll(async () => {
    await bus.close();
    await engine.close();
  });

  const publish = (generation: Generation) =>
    modules.client.dynamoDb.send(
      new PutCommand({ TableName: modules.client.tableName(), Item: generationItem(pool, generation) }),
    );
  const deliver = (shardId: string, Records: readonly unknown[]) =>
    modules.handler.handler({ shardId, Records, state: {} });
  const allocated = async () => (await modules.counts.countsOf(pool)).allocatedByFile.get("fil_1") ?? 0;

  it("adds what each cell gained, by file", async () => {
    await publish(aGeneration({ number: 2, fileId: "fil_2" }));

    const answer = await deliver("shard-a", [
      cellChange(1, 0, 1),
      cellChange(2, 1, 4),
      cellChange(3, 0, 2, { generation: 2 }),
    ]);

    expect(answer).toEqual({ state: {}, batchItemFailures: [] });
    expect((await modules.counts.countsOf(pool)).allocatedByFile).toEqual(
      new Map([
        ["fil_1", 4],
        ["fil_2", 2],
      ]),
    );
  });

  it("counts a batch once however often it is delivered", async () => {
    const batch = [cellChange(1, 0, 1), cellChange(2, 1, 2)];

    await deliver("shard-a", batch);
    await deliver("shard-a", batch);
    await Promise.all([deliver("shard-a", batch), deliver("shard-a", batch)]);

    expect(await allocated()).toBe(2);
  });

  it("counts a batch once when it is delivered twice at the same moment", async () => {
    const batch = Array.from({ length: 20 }, (_, index) => cellChange(index + 10, index, index + 1));

    await Promise.all(Array.from({ length: 6 }, () => deliver("shard-a", batch)));

    expect(await allocated()).toBe(20);
  });

  it("counts only what is new of a batch that overlaps the one before", async () => {
    await deliver("shard-a", [cellChange(1, 0, 1), cellChange(2, 0, 1)]);
    await deliver("shard-a", [cellChange(2, 0, 1), cellChange(3, 0, 1)]);

    expect(await allocated()).toBe(3);
  });

  it("keeps a position per stream shard, so that their order does not matter", async () => {
    await deliver("shard-b", [cellChange(900, 0, 1)]);
    await deliver("shard-a", [cellChange(1, 0, 1)]);
    await Promise.all([
      deliver("shard-a", [cellChange(2, 1, 2)]),
      deliver("shard-b", [cellChange(901, 1, 2)]),
      deliver("shard-c", [cellChange(5, 1, 2)]),
    ]);
    await deliver("shard-b", [cellChange(900, 0, 1)]);

    expect(await allocated()).toBe(5);
  });

  it("compares sequence numbers as numbers of any length", async () => {
    const withSequence = (SequenceNumber: string) => {
      const change = cellChange(1, 0, 1);
      return { ...change, dynamodb: { ...change.dynamodb, SequenceNumber } };
    };

    await deliver("shard-a", [withSequence("99999999999999999999999")]);
    await deliver("shard-a", [withSequence("100000000000000000000000")]);
    await deliver("shard-a", [withSequence("99999999999999999999998")]);

    expect(await allocated()).toBe(2);
  });

  it("counts default codes apart, and nothing else of a customer", async () => {
    await deliver("shard-a", [
      defaultGiven(1),
      defaultGiven(2),
      defaultGiven(3, "REMOVE"),
      {
        eventName: "INSERT",
        dynamodb: {
          SequenceNumber: "100000000000000000004",
          Keys: { pk: { S: "customer#c" }, sk: { S: `intent#${pool}#-` } },
          NewImage: {},
        },
      },
    ]);

    expect((await modules.counts.countsOf(pool)).defaultsGiven).toBe(2);
    expect(await allocated()).toBe(0);
  });

  it("counts nothing when a cell is loaded, sealed or a holder is erased", async () => {
    await deliver("shard-a", [cellChange(1, 0, 0), cellChange(2, 3, 3)]);

    const { Item } = await modules.client.dynamoDb.send(
      new GetCommand({ TableName: modules.client.tableName(), Key: keys.counts(pool, "fil_1") }),
    );
    expect(Item).toBeUndefined();
  });

  it("finds the file of a generation that was published after it started", async () => {
    await deliver("shard-a", [cellChange(1, 0, 1)]);
    await publish(aGeneration({ number: 2, fileId: "fil_2" }));

    await deliver("shard-a", [cellChange(2, 0, 1, { generation: 2 })]);

    expect((await modules.counts.countsOf(pool)).allocatedByFile.get("fil_2")).toBe(1);
  });

  it("counts what was handed out from the engine's own stream, twice delivered", async () => {
    const { aPromocode, publish: publishCodes, someCodes } = await import("../support/pool.ts");
    const { dynamoPoolStore } = await import("../../shared/storage/pool-store.ts");
    const { recordDefaultGiven } = await import("../../shared/storage/defaults-given.ts");
    const { promocodeId } = await publishCodes(await aPromocode(), someCodes(300));
    const stamp = { at: noTime.getTime(), contextId: "" };
    for (const shard of [0, 1, 2, 0, 1])
      await dynamoPoolStore(promocodeId).append({ generation: 1, attempt: 1, shard, cell: 0 }, [
        { holder: { customerId: `customer-${Math.random()}`, trigger: null }, stamp },
      ]);
    const given = { uniqueCode: "DEFAULT", timestamp: noTime.toISOString(), contextId: "" };
    await recordDefaultGiven({ promocodeId, customerId: "customer#1", trigger: null }, given);

    for (const { shardId, records } of await readStream(engine, modules.client.tableName())) {
      await deliver(shardId, records);
      await deliver(shardId, records);
    }

    expect(await modules.pool.poolCounts(promocodeId)).toMatchObject({
      total: 300,
      allocated: 5,
      available: 295,
      defaultsGiven: 1,
    });
  });

  it("refuses a batch that does not say which stream shard it is of", async () => {
    await expect(modules.handler.handler({ Records: [cellChange(1, 0, 1)] })).rejects.toThrow("shardId");
    expect(await allocated()).toBe(0);
  });

  it("forgets positions that no record in the stream can be older than", async () => {
    const add = (streamShardId: string, sequenceNumber: string, hours: number) =>
      modules.counts.addToCount(
        { promocodeId: pool, fileId: "fil_1", streamShardId, changes: [{ sequenceNumber, delta: 1 }] },
        new Date(noTime.getTime() + hours * 3_600_000),
      );
    await add("old", "1", 0);
    await add("recent", "1", 10);

    await add("new", "1", 28);
    await add("recent", "1", 29);

    const { Item } = await modules.client.dynamoDb.send(
      new GetCommand({ TableName: modules.client.tableName(), Key: keys.counts(pool, "fil_1") }),
    );
    expect(Object.keys(Item ?? {}).filter((name) => name.startsWith("at_"))).toHaveLength(2);
    expect(await allocated()).toBe(3);
  });

  it("adds up a pool: a withdrawn file's free codes are gone, its allocated ones stay", async () => {
    await publish(aGeneration({ number: 2, fileId: "fil_2", codes: 50, status: "withdrawn" }));
    await deliver("shard-a", [cellChange(1, 0, 10), cellChange(2, 0, 7, { generation: 2 }), defaultGiven(3)]);

    const counts = await modules.pool.poolCounts(pool);

    expect(counts).toEqual({
      total: 107,
      allocated: 17,
      available: 90,
      defaultsGiven: 1,
      asOf: expect.stringMatching(/^\d{4}-.*Z$/),
    });
  });

  it("never answers more than there is", async () => {
    await deliver("shard-a", [cellChange(1, 0, 101)]);

    expect(await modules.pool.poolCounts(pool)).toMatchObject({ total: 100, allocated: 100, available: 0 });
  });

  it("answers zeros as of now for a promocode that has nothing", async () => {
    expect(await modules.pool.poolCounts("empty", noTime)).toEqual({
      total: 0,
      allocated: 0,
      available: 0,
      defaultsGiven: 0,
      asOf: "2026-11-23T09:00:00.000Z",
    });
  });
});
