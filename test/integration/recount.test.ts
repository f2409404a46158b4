import {
  DescribeStreamCommand,
  DynamoDBStreamsClient,
  GetRecordsCommand,
  GetShardIteratorCommand,
  ListStreamsCommand,
} from "@aws-sdk/client-dynamodb-streams";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { DynamoDbEngine } from "../../local/dynamodb/engine.ts";
import { customers, someCodes } from "../support/codes.ts";
import { engines } from "../support/engines.ts";
import { inParallel } from "../support/in-parallel.ts";
import { createTable } from "../support/table.ts";

const loadModules = async () => ({
  ...(await import("../support/pool.ts")),
  ...(await import("../../commands/recount/recount.ts")),
  ...(await import("../../commands/verify/verify-pool.ts")),
  ...(await import("../../functions/count-allocations/changes.ts")),
  ...(await import("../../shared/allocation/allocate-codes.ts")),
  ...(await import("../../shared/storage/counts.ts")),
  ...(await import("../../shared/storage/generations.ts")),
  ...(await import("../../shared/storage/promocodes.ts")),
  ...(await import("../../shared/storage/recounts.ts")),
});

const now = new Date("2026-11-25T09:00:00.000Z");

describe.each(engines)("recount on $name", ({ start }) => {
  let engine: DynamoDbEngine;
  let tableName: string;
  let service: Awaited<ReturnType<typeof loadModules>>;
  beforeAll(async () => {
    engine = await start();
    tableName = await createTable(engine);
    service = await loadModules();
  });
  afterAll(() => engine.close());

  /** Counts all that is in the engine's stream, from its beginning: what was counted before is not counted again. */
  const count = async (): Promise<void> => {
    const { endpoint, region, credentials } = engine;
    const client = new DynamoDBStreamsClient({ endpoint, region, credentials });
    const { Streams = [] } = await client.send(new ListStreamsCommand({ TableName: tableName }));
    const StreamArn = Streams[0]?.StreamArn;
    const { StreamDescription } = await client.send(new DescribeStreamCommand({ StreamArn }));
    for (const { ShardId = "" } of StreamDescription?.Shards ?? []) {
      let { ShardIterator } = await client.send(
        new GetShardIteratorCommand({ StreamArn, ShardId, ShardIteratorType: "TRIM_HORIZON" }),
      );
      for (;;) {
        const page = await client.send(new GetRecordsCommand({ ShardIterator }));
        if ((page.Records ?? []).length === 0) break;
        await countRecords(ShardId, JSON.parse(JSON.stringify(page.Records)));
        ShardIterator = page.NextShardIterator;
        if (ShardIterator === undefined) break;
      }
    }
    client.destroy();
  };
  const countRecords = async (streamShardId: string, records: readonly unknown[]) => {
    const changes = records
      .map((record) => service.changeOf(service.streamRecordSchema.parse(record)))
      .filter((change) => change !== undefined);
    for (const { promocodeId, generation, ...change } of changes) {
      const found = (await service.generationsOf(promocodeId)).find(({ number }) => number === generation);
      const fileId = generation === null ? null : (found?.fileId ?? "");
      await service.addToCount({ promocodeId, fileId, streamShardId, changes: [change] }, now);
    }
  };

  const allocate = (promocodeId: string, customerIds: readonly string[]) =>
    inParallel(customerIds, async (customerId) =>
      service.allocateCode(
        await service.promocodes.get(promocodeId),
        { customerId },
        { idempotencyKey: undefined, now },
      ),
    );
  /** A pool of so many codes, given out and counted. */
  const aCountedPool = async ({ codes = 40, given = 20 } = {}) => {
    const { promocodeId } = await service.publish(await service.aPromocode(), someCodes(codes));
    await allocate(promocodeId, customers(given));
    await count();
    const [generation] = await service.generationsOf(promocodeId);
    return { promocodeId, fileId: generation!.fileId };
  };
  /** What a lost batch of the stream, or a mistake of ours, would leave behind. */
  const distort = (promocodeId: string, fileId: string | null, delta: number) =>
    service.addToCount(
      {
        promocodeId,
        fileId,
        streamShardId: `distortion ${Math.random()}`,
        changes: [{ sequenceNumber: "1", delta }],
      },
      now,
    );
  const recount = (
    promocodeId: string,
    { yes = false, whileQuiet = async () => {} }: { yes?: boolean; whileQuiet?: () => Promise<unknown> } = {},
  ) => {
    let meanwhile: Promise<unknown> = Promise.resolve();
    const counts = service.recount({
      promocodeIds: [promocodeId],
      quietMs: 1_000,
      correct: yes ? (correction) => service.correctCount(correction, now) : undefined,
      onStep: (text) => {
        if (text.includes("waiting")) meanwhile = whileQuiet();
      },
    });
    return counts.then(async (results) => {
      await meanwhile;
      return results;
    });
  };
  const filesOf = (counts: Awaited<ReturnType<typeof recount>>) =>
    counts.filter(({ fileId }) => fileId !== null);

  it("agrees with a count that is right", async () => {
    const { promocodeId, fileId } = await aCountedPool();

    expect(await recount(promocodeId, { yes: true })).toEqual([
      { promocodeId, fileId, counted: 20, held: 20, state: "agrees" },
      { promocodeId, fileId: null, counted: 0, held: 0, state: "agrees" },
    ]);
  });

  it("shows a wrong count, changes it when told to, and the counter goes on from there", async () => {
    const { promocodeId, fileId } = await aCountedPool();
    await distort(promocodeId, fileId, -7);

    const shown = await recount(promocodeId);
    const untouched = await service.storedCount(promocodeId, fileId);
    const corrected = await recount(promocodeId, { yes: true });
    await count();
    await allocate(promocodeId, customers(5, "late"));
    await count();

    expect(filesOf(shown)).toEqual([{ promocodeId, fileId, counted: 13, held: 20, state: "wrong" }]);
    expect(untouched).toBe(13);
    expect(filesOf(corrected)).toEqual([{ promocodeId, fileId, counted: 13, held: 20, state: "corrected" }]);
    expect(await service.storedCount(promocodeId, fileId)).toBe(25);
  });

  it("corrects a count that is too high, and one that is missing", async () => {
    const high = await aCountedPool();
    await distort(high.promocodeId, high.fileId, 30);
    const { promocodeId } = await service.publish(await service.aPromocode(), someCodes(10));
    await allocate(promocodeId, customers(4));

    await recount(high.promocodeId, { yes: true });
    await recount(promocodeId, { yes: true });

    expect(await service.storedCount(high.promocodeId, high.fileId)).toBe(20);
    expect((await service.countsOf(promocodeId)).allocatedByFile.get(high.fileId)).toBe(4);
  });

  it("leaves a count alone that is only late", async () => {
    const { promocodeId, fileId } = await aCountedPool();
    await allocate(promocodeId, customers(6, "new"));

    const counts = await recount(promocodeId, { yes: true, whileQuiet: count });

    expect(filesOf(counts)).toEqual([{ promocodeId, fileId, counted: 26, held: 26, state: "agrees" }]);
    expect(await service.storedCount(promocodeId, fileId)).toBe(26);
  });

  it("leaves a wrong count alone while codes are given out, and says so", async () => {
    const { promocodeId, fileId } = await aCountedPool();
    await distort(promocodeId, fileId, -7);

    const counts = await recount(promocodeId, {
      yes: true,
      whileQuiet: () => allocate(promocodeId, customers(1, "meanwhile")),
    });

    expect(filesOf(counts)).toEqual([{ promocodeId, fileId, counted: 13, held: 21, state: "in-use" }]);
    expect(await service.storedCount(promocodeId, fileId)).toBe(13);
  });

  it("corrects one pool while others are in use, whose counts come out right", async () => {
    const wrong = await aCountedPool();
    await distort(wrong.promocodeId, wrong.fileId, -7);
    const busy = await aCountedPool({ codes: 400, given: 20 });
    let isOver = false;
    const traffic = (async () => {
      for (let turn = 0; !isOver; turn += 1) await allocate(busy.promocodeId, customers(5, `turn-${turn}`));
    })();

    const counts = await service.recount({
      promocodeIds: [wrong.promocodeId, busy.promocodeId],
      quietMs: 1_000,
      correct: (correction) => service.correctCount(correction, now),
    });
    isOver = true;
    await traffic;
    await count();

    const stateOf = (id: string) => counts.find((each) => each.promocodeId === id && each.fileId)?.state;
    expect(stateOf(wrong.promocodeId)).toBe("corrected");
    expect(stateOf(busy.promocodeId)).toBe("in-use");
    for (const { promocodeId, fileId } of [wrong, busy]) {
      const [generation] = await service.generationsOf(promocodeId);
      const held = await service.heldSlots(promocodeId, generation!);
      expect(await service.storedCount(promocodeId, fileId)).toBe(held);
    }
  });

  it("writes nothing over a count that moved since it was seen", async () => {
    const { promocodeId, fileId } = await aCountedPool();

    const isDone = await service.correctCount({ promocodeId, fileId, counted: 19, held: 20 }, now);

    expect(isDone).toBe(false);
    expect(await service.storedCount(promocodeId, fileId)).toBe(20);
  });

  it("counts default codes by their records, and never fewer than were counted", async () => {
    const { promocodeId } = await service.publish(await service.aPromocode(), someCodes(3));
    await allocate(promocodeId, customers(10));
    await count();
    await distort(promocodeId, null, -2);

    const corrected = await recount(promocodeId, { yes: true });
    await distort(promocodeId, null, 5);
    const kept = await recount(promocodeId, { yes: true });

    const ofDefaults = (counts: typeof kept) => counts.find(({ fileId }) => fileId === null);
    expect(ofDefaults(corrected)).toMatchObject({ counted: 5, held: 7, state: "corrected" });
    expect(ofDefaults(kept)).toMatchObject({ counted: 12, held: 7, state: "kept" });
  });

  it("counts twice what a counter that stood still comes to later, which verify finds and the next recount mends", async () => {
    const { promocodeId, fileId } = await aCountedPool();
    await allocate(promocodeId, customers(6, "new"));

    await recount(promocodeId, { yes: true });
    await count();
    const tooHigh = await service.storedCount(promocodeId, fileId);
    const { findings } = await service.verifyPool(promocodeId, { countsPatienceMs: 0, looks: [0] });
    await recount(promocodeId, { yes: true });

    expect(tooHigh).toBe(32);
    expect(findings.map(({ rule }) => rule)).toEqual(["count-too-high"]);
    expect(await service.storedCount(promocodeId, fileId)).toBe(26);
  });
});
