import { afterAll, beforeAll, describe, expect } from "vitest";
import type { DynamoDbEngine } from "../../local/dynamodb/engine.ts";
import type { StreamRecord } from "../../local/events/stream-reader.ts";
import { customers, someCodes } from "../support/codes.ts";
import { engines } from "../support/engines.ts";
import { startTestBus, type TestBus } from "../support/event-bus.ts";
import { inParallel } from "../support/in-parallel.ts";
import { fault, injectionByHand } from "./fault.ts";
import { aFaultWorld, type FaultWorld, type KnownPool } from "./fault-world.ts";
import { startProcess } from "./start-process.ts";
import { inShards, streamRecordsOf } from "./stream-records.ts";
import { answerLost, crashAfter, crashBefore, isTableWrite, throttled } from "./wire-faults.ts";

/** As the stream's filter lets them through, and as Lambda hands them over: JSON. */
const delivery = (shardId: string, records: readonly StreamRecord[]) =>
  JSON.parse(JSON.stringify({ shardId, Records: records, state: {} })) as unknown;

describe("counting from the stream", () => {
  let engine: DynamoDbEngine;
  let world: FaultWorld;
  let bus: TestBus;
  beforeAll(async () => {
    bus = await startTestBus();
    engine = await engines[0]!.start();
  });
  afterAll(async () => {
    await bus.close();
    await engine.close();
  });

  /** Two files, 200 codes handed out of 220, and 15 default codes of another promocode. */
  const aBusyTable = async () => {
    world = await aFaultWorld(engine);
    const service = await world.anAllocatingProcess();
    const pool = await world.refill(await world.aPool(someCodes(120, "A")), someCodes(100, "B"));
    const dry = await world.aPool([]);
    await inParallel(customers(200), (customerId) => service.allocate(pool, { customerId }));
    await inParallel(customers(15), (customerId) => service.allocate(dry, { customerId }));
    return { pool, dry, shards: inShards(await streamRecordsOf(world.table), 4) };
  };
  const aCounter = async (endpoint: string) => {
    const { handler } = await startProcess(
      endpoint,
      () => import("../../functions/count-allocations/handler.ts"),
    );
    return (shardId: string, records: readonly StreamRecord[]) => handler(delivery(shardId, records));
  };
  const proveCounts = async (pool: KnownPool, dry: KnownPool) => {
    const { given } = await world.prove(pool, { counted: true });
    const { defaultsGiven } = await world.prove(dry, { counted: true });
    expect([given.length, defaultsGiven]).toEqual([200, 15]);
  };

  fault(
    "records repeated, overlapping, twice at once, and shards in any order",
    async ({ count, proved }) => {
      const { pool, dry, shards } = await aBusyTable();
      const deliver = await aCounter(engine.endpoint);
      const repeats = count(injectionByHand(deliver));
      const jumps = count(
        injectionByHand((names: readonly string[]) => names[Math.floor(Math.random() * names.length)]!),
      );
      const doneByShard = new Map([...shards.keys()].map((name) => [name, 0]));

      for (;;) {
        const open = [...shards.keys()].filter((name) => doneByShard.get(name)! < shards.get(name)!.length);
        if (open.length === 0) break;
        const name = jumps.fire(open);
        const records = shards.get(name)!;
        const from = doneByShard.get(name)!;
        const to = Math.min(records.length, from + 1 + Math.floor(Math.random() * 40));
        const overlap = Math.max(0, from - Math.floor(Math.random() * 20));
        await Promise.all([
          deliver(name, records.slice(from, to)),
          repeats.fire(name, records.slice(overlap, to)),
        ]);
        await repeats.fire(name, records.slice(0, to));
        doneByShard.set(name, to);
      }

      await proveCounts(pool, dry);
      proved("counts of files and default codes equal a full scan");
    },
  );

  fault(
    "the counter crashes before and after each write, and its batches come again",
    async ({ count, proved }) => {
      const { pool, dry, shards } = await aBusyTable();
      let writes = 0;

      for (const crash of [crashBefore, crashAfter])
        for (let after = 0; ; after += 1) {
          const wire = await world.aWire();
          const deliver = await aCounter(wire.endpoint);
          const injection = wire.inject(crash, { matches: isTableWrite, after, times: 1 });
          const all = Promise.all([...shards].map(([name, records]) => deliver(name, records))).catch(
            () => {},
          );
          await Promise.race([wire.crashed, all]);
          if (injection.injected === 0) break;
          count(injection);
          writes += 1;
        }
      const deliver = await aCounter(engine.endpoint);
      await Promise.all([...shards].map(([name, records]) => deliver(name, records)));

      expect(writes).toBeGreaterThan(2);
      await proveCounts(pool, dry);
      proved("counts of files and default codes equal a full scan");
    },
  );

  fault(
    "a third of the counter's writes throttled, a third of their answers lost",
    async ({ count, proved }) => {
      const { pool, dry, shards } = await aBusyTable();
      const wire = await world.aWire();
      const deliver = await aCounter(wire.endpoint);
      count(wire.inject(throttled, { matches: isTableWrite, share: 0.33, seed: 3 }));
      count(wire.inject(answerLost, { matches: isTableWrite, share: 0.5, seed: 4 }));

      for (const [name, records] of shards)
        for (let from = 0; from < records.length; from += 20)
          // Lambda delivers a batch that failed again, as a whole.
          while (!(await deliver(name, records.slice(from, from + 20)).then(Boolean, () => false)));

      await proveCounts(pool, dry);
      proved("counts of files and default codes equal a full scan");
    },
  );
});
