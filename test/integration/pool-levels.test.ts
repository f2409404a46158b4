import { DeleteCommand, GetCommand, PutCommand, UpdateCommand } from "@aws-sdk/lib-dynamodb";
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import type { DynamoDbEngine } from "../../local/dynamodb/engine.ts";
import type { UniqueCodes } from "../../shared/contract/promocodes.ts";
import type { Generation } from "../../shared/pool/generation.ts";
import { generationItem } from "../../shared/storage/generations.ts";
import { keys } from "../../shared/storage/table.ts";
import { engines } from "../support/engines.ts";
import { startTestBus, type TestBus } from "../support/event-bus.ts";
import { createTable } from "../support/table.ts";

const published: { values: object; metadata: unknown }[] = [];
vi.mock("../../shared/operations/publish-metrics.ts", () => ({
  publishMetrics: (values: object, { metadata }: { metadata?: unknown }) =>
    published.push({ values, metadata }),
}));

describe.each(engines)("the level of a pool on $name", { timeout: 60_000 }, ({ start }) => {
  let engine: DynamoDbEngine;
  let bus: TestBus;
  let modules: {
    client: typeof import("../../shared/storage/client.ts");
    counts: typeof import("../../shared/storage/counts.ts");
    handler: typeof import("../../functions/count-allocations/handler.ts");
    tellLevel: typeof import("../../functions/count-allocations/tell-level.ts");
    pool: typeof import("../support/pool.ts");
    logger: typeof import("../../shared/http/logger.ts");
  };
  beforeAll(async () => {
    engine = await start();
    bus = await startTestBus();
    await createTable(engine);
    modules = {
      client: await import("../../shared/storage/client.ts"),
      counts: await import("../../shared/storage/counts.ts"),
      handler: await import("../../functions/count-allocations/handler.ts"),
      tellLevel: await import("../../functions/count-allocations/tell-level.ts"),
      pool: await import("../support/pool.ts"),
      logger: await import("../../shared/http/logger.ts"),
    };
  });
  beforeEach(() => {
    bus.told();
    bus.isDown = false;
    published.length = 0;
    vi.spyOn(modules.logger.logger, "error").mockImplementation(() => {});
  });
  afterAll(async () => {
    await bus.close();
    await engine.close();
  });

  let sequence = 0;
  const record = (eventName: string, pk: string, sk: string, holders?: readonly [number, number]) => {
    sequence += 1;
    const image = (count: number) => ({ u: { L: Array.from({ length: count }, () => ({ S: "x" })) } });
    return {
      eventName,
      dynamodb: {
        SequenceNumber: String(10n ** 20n + BigInt(sequence)),
        Keys: { pk: { S: pk }, sk: { S: sk } },
        ...(holders && { OldImage: image(holders[0]), NewImage: image(holders[1]) }),
      },
    };
  };

  /** A pool, and the records of what happens to it, as the table's stream would have them. */
  const aPool = async (codes: number, settings: Partial<UniqueCodes> = {}) => {
    const { promocodeId } = await modules.pool.aPromocode(settings);
    const { dynamoDb, tableName } = modules.client;
    let generations = 0;
    const write = (more: Partial<Generation>) =>
      dynamoDb.send(
        new PutCommand({
          TableName: tableName(),
          Item: generationItem(promocodeId, {
            number: generations,
            fileId: `fil_${generations}`,
            attempt: 1,
            codes: 0,
            shards: 4,
            cellsPerShard: 2,
            status: "published",
            ...more,
          }),
        }),
      );
    const pool = {
      promocodeId,
      taken: (count: number, generation = generations) =>
        record("MODIFY", `c#${promocodeId}#${generation}#1#3`, "0a", [0, count]),
      defaultGiven: () => record("INSERT", "customer#c", `default#${promocodeId}#${sequence}`),
      fileChanged: (number = generations) =>
        record("INSERT", `promocode#${promocodeId}`, keys.generation(promocodeId, number).sk),
      settingsChanged: () => record("MODIFY", `promocode#${promocodeId}`, "head"),
      async refill(count: number) {
        generations += 1;
        await write({ codes: count });
        return pool.fileChanged();
      },
      async withdraw(number: number, count: number) {
        await write({ number, fileId: `fil_${number}`, codes: count, status: "withdrawn" });
        return pool.fileChanged(number);
      },
      async set(attribute: keyof UniqueCodes, value: number) {
        await dynamoDb.send(
          new UpdateCommand({
            TableName: tableName(),
            Key: keys.promocode(promocodeId),
            UpdateExpression: "SET #name = :value",
            ExpressionAttributeNames: { "#name": attribute },
            ExpressionAttributeValues: { ":value": value },
          }),
        );
        return pool.settingsChanged();
      },
      async level() {
        const { Item } = await dynamoDb.send(
          new GetCommand({ TableName: tableName(), Key: keys.poolLevel(promocodeId), ConsistentRead: true }),
        );
        return Item;
      },
    };
    if (codes > 0) await deliver("shard-a", await pool.refill(codes));
    return pool;
  };
  const deliver = (shardId: string, ...Records: readonly object[]) =>
    modules.handler.handler({ shardId, Records, state: {} });
  /** What came since the last call, in the order of the bus. */
  const told = () =>
    bus
      .told()
      .map(({ "detail-type": name, detail }) =>
        name === "PoolLow" ? `PoolLow by ${String(detail.by)}, ${String(detail.available)} left` : name,
      );

  it("is told at each crossing, once, and never by a batch that crosses nothing", async () => {
    const pool = await aPool(100, { lowPoolThreshold: 10, lowPoolPercent: 20 });

    await deliver("shard-a", pool.taken(79));
    expect([told(), await pool.level()]).toEqual([[], undefined]);
    await deliver("shard-a", pool.taken(1));
    expect(told()).toEqual(["PoolLow by percent, 20 left"]);
    await deliver("shard-a", pool.taken(10));
    expect(told()).toEqual(["PoolLow by count, 10 left"]);
    const quiet = await pool.level();
    await deliver("shard-a", pool.taken(9));
    expect([told(), await pool.level()]).toEqual([[], quiet]);
    await deliver("shard-a", pool.taken(1));
    expect(told()).toEqual(["PoolDry"]);
    await deliver("shard-a", pool.defaultGiven());
    expect(told()).toEqual(["DefaultCodesGiven"]);
    await deliver("shard-a", pool.defaultGiven(), pool.defaultGiven());
    expect(told()).toEqual([]);
    expect((await pool.level())?.undelivered).toEqual({});
  });

  it("is told again after a refill, each time under an id of its own", async () => {
    const pool = await aPool(20, { lowPoolThreshold: 5 });
    await deliver("shard-a", pool.taken(20), pool.defaultGiven());
    const first = bus.received.map(({ detail }) => detail.eventId);
    expect(told()).toEqual(["PoolLow by count, 0 left", "PoolDry", "DefaultCodesGiven"]);

    await deliver("shard-a", await pool.refill(30));
    expect(told()).toEqual([]);
    await deliver("shard-a", pool.taken(30), pool.defaultGiven());

    const second = bus.received.map(({ detail }) => detail.eventId);
    expect(told()).toEqual(["PoolLow by count, 0 left", "PoolDry", "DefaultCodesGiven"]);
    expect(new Set([...first, ...second]).size).toBe(6);
  });

  it("is told again when the refill was used up within the batch that brought it", async () => {
    const pool = await aPool(20, { lowPoolThreshold: 5 });
    await deliver("shard-a", pool.taken(20));
    told();

    await deliver("shard-a", await pool.refill(30), pool.taken(30));

    expect(told()).toEqual(["PoolLow by count, 0 left", "PoolDry"]);
  });

  it("is told once when eight shards of the stream race for it", async () => {
    for (let round = 0; round < 5; round += 1) {
      const pool = await aPool(80, { lowPoolThreshold: 20, lowPoolPercent: 50 });
      const shards = Array.from({ length: 8 }, (_, at) => `shard-${at}`);

      await Promise.all(shards.map((shard) => deliver(shard, pool.taken(10), pool.defaultGiven())));

      const names = bus.told().map(({ "detail-type": name, detail }) => `${name} ${String(detail.by ?? "")}`);
      expect(names.sort()).toEqual(["DefaultCodesGiven ", "PoolDry ", "PoolLow count", "PoolLow percent"]);
    }
  });

  it("is told once when a batch is delivered again and again", async () => {
    const pool = await aPool(10);
    const batch = [pool.taken(10), pool.defaultGiven()];

    await deliver("shard-a", ...batch);
    await deliver("shard-a", ...batch);
    await Promise.all([deliver("shard-a", ...batch), deliver("shard-a", ...batch)]);

    expect(told()).toEqual(["PoolDry", "DefaultCodesGiven"]);
  });

  it("is not lost while the bus is down: the batch comes again, everything is counted, one event is told", async () => {
    const pool = await aPool(10);
    const other = await aPool(10);
    const batch = [pool.taken(10), other.taken(3)];
    bus.isDown = true;

    await expect(deliver("shard-a", ...batch)).rejects.toThrow("the bus did not take 1 events");
    const counted = await modules.counts.countsOf(other.promocodeId);
    const left = Object.keys((await pool.level())?.undelivered);
    bus.isDown = false;
    await deliver("shard-a", ...batch);
    await deliver("shard-a", ...batch);

    expect([...counted.allocatedByFile.values()]).toEqual([3]);
    expect(bus.received.map(({ detail }) => detail.eventId)).toEqual(left);
    expect(told()).toEqual(["PoolDry"]);
  });

  it("is told by the shard that found it, and by others only when that one is gone for long", async () => {
    const pool = await aPool(10);
    const { tellLevel } = modules.tellLevel;
    bus.isDown = true;
    await expect(deliver("shard-a", pool.taken(10))).rejects.toThrow();
    bus.isDown = false;
    const inMinutes = (minutes: number) => new Date(Date.now() + minutes * 60_000);

    await tellLevel(pool.promocodeId, { streamShardId: "shard-b", now: inMinutes(14) });
    expect(told()).toEqual([]);
    await tellLevel(pool.promocodeId, { streamShardId: "shard-b", now: inMinutes(16) });
    expect(told()).toEqual(["PoolDry"]);
    await tellLevel(pool.promocodeId, { streamShardId: "shard-a", now: inMinutes(16) });
    expect(told()).toEqual([]);
  });

  it("stops no counting for more than ten minutes, and is told when the bus is back", async () => {
    const pool = await aPool(10);
    const { tellLevel } = modules.tellLevel;
    bus.isDown = true;
    await expect(deliver("shard-a", pool.taken(10))).rejects.toThrow();
    const later = new Date(Date.now() + 11 * 60_000);

    await tellLevel(pool.promocodeId, { streamShardId: "shard-a", now: later });
    expect(modules.logger.logger.error).toHaveBeenCalledWith(
      "Events of a pool are not delivered yet",
      expect.objectContaining({ promocodeId: pool.promocodeId }),
    );
    bus.isDown = false;
    await tellLevel(pool.promocodeId, { streamShardId: "shard-a", now: later });

    expect(told()).toEqual(["PoolDry"]);
  });

  it("keeps what is undelivered of before when more happens", async () => {
    const pool = await aPool(10, { lowPoolThreshold: 5 });
    bus.isDown = true;
    await expect(deliver("shard-a", pool.taken(5))).rejects.toThrow();
    await expect(deliver("shard-b", pool.taken(5))).rejects.toThrow();
    bus.isDown = false;

    await deliver("shard-b", pool.taken(0));
    await deliver("shard-b", pool.fileChanged());
    expect(told()).toEqual(["PoolDry"]);
    await deliver("shard-a", pool.fileChanged());
    expect(told()).toEqual(["PoolLow by count, 5 left"]);
  });

  it("follows a file that is withdrawn and a threshold that is set", async () => {
    const pool = await aPool(100);
    await deliver("shard-a", pool.taken(40));

    await deliver("shard-a", await pool.set("lowPoolPercent", 60));
    expect(told()).toEqual(["PoolLow by percent, 60 left"]);
    await deliver("shard-a", await pool.withdraw(1, 100));
    expect(told()).toEqual(["PoolDry"]);
  });

  it("of a pool without a file is that it gives default codes", async () => {
    const pool = await aPool(0, { lowPoolThreshold: 5 });

    await deliver("shard-a", pool.settingsChanged());
    expect(told()).toEqual([]);
    await deliver("shard-a", pool.defaultGiven());
    expect(told()).toEqual(["DefaultCodesGiven"]);
  });

  it("of what is no promocode, or a global one, is nothing", async () => {
    const { promocodeId, settingsChanged } = await aPool(0);
    await modules.client.dynamoDb.send(
      new DeleteCommand({ TableName: modules.client.tableName(), Key: keys.promocode(promocodeId) }),
    );

    await deliver("shard-a", settingsChanged());

    expect(told()).toEqual([]);
  });

  it("is measured: codes and default codes once, each pool by its id", async () => {
    const pool = await aPool(80);
    const batch = [pool.taken(20), pool.defaultGiven()];

    await deliver("shard-a", ...batch);
    await deliver("shard-a", ...batch);

    const level = {
      values: { PoolAvailable: 60, PoolAvailablePercent: 75 },
      metadata: { promocodeId: pool.promocodeId },
    };
    expect(published).toEqual([
      { values: { CodesAllocated: 20, DefaultsGiven: 1 }, metadata: undefined },
      level,
      level,
    ]);
  });
});
