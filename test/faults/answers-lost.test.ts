import { afterAll, beforeAll, describe, expect } from "vitest";
import type { DynamoDbEngine } from "../../local/dynamodb/engine.ts";
import { customers, someCodes } from "../support/codes.ts";
import { engines } from "../support/engines.ts";
import { inParallel } from "../support/in-parallel.ts";
import { aBulkJob } from "./bulk-job.ts";
import { fault } from "./fault.ts";
import { aFaultWorld, type FaultWorld, served } from "./fault-world.ts";
import {
  answerHanging,
  answerLost,
  answerStalled,
  answerTruncated,
  connectionReset,
  hanging,
  isAppend,
  isOperation,
  slow,
  throttled,
} from "./wire-faults.ts";

describe.each(engines)("the wire to $name", ({ start, name }) => {
  let engine: DynamoDbEngine;
  let world: FaultWorld;
  beforeAll(async () => {
    engine = await start();
    world = await aFaultWorld(engine);
  });
  afterAll(async () => {
    await world.close();
    await engine.close();
  });

  fault("answers lost after the write took effect, the SDK sends it again", async ({ count, proved }) => {
    const pool = await world.aPool(someCodes(80));
    const wire = await world.aWire();
    const service = await world.anAllocatingProcess(wire);
    count(wire.inject(answerLost, { matches: isAppend, share: 0.25, seed: 2 }));

    const replies = await inParallel(customers(90), (customerId) => service.allocate(pool, { customerId }));

    const { given } = await world.prove(pool, { answers: served(replies) });
    expect(given).toHaveLength(80);
    const fromPool = replies.filter(({ body }) => body.source === "pool");
    expect(fromPool.filter(({ status, body }) => status !== 201 || body.repeated)).toEqual([]);
    proved("every code given once, none burnt, and told as handed out now");
  });

  if (name !== "dynoxide") return;

  fault("every answer lost until the call fails, the client retries", async ({ count, proved }) => {
    for (const allocationMethod of ["Consistent", "Varying"] as const) {
      const pool = await world.aPool(someCodes(30), { allocationMethod });
      const wire = await world.aWire();
      const service = await world.anAllocatingProcess(wire);
      const losing = count(wire.inject(answerLost, { matches: isAppend }));
      const ask = (customerId: string) =>
        service.allocate(pool, { customerId }, { "Idempotency-Key": "the send" });

      const lost = await inParallel(customers(12), ask);
      losing.stop();
      const retried = await inParallel(customers(12), ask);
      const again = await inParallel(customers(12), ask);

      expect(lost.map(({ status }) => status)).toEqual(lost.map(() => 503));
      expect(retried.map(({ body }) => body.source)).toEqual(retried.map(() => "pool"));
      expect(again.map(({ body }) => body)).toEqual(retried.map(({ body }) => ({ ...body, repeated: true })));
      const { given } = await world.prove(pool, { answers: served([...retried, ...again]) });
      expect(given).toHaveLength(12);
    }
    proved("the retry gets the very code of the lost answer, by both methods, none burnt");
  });

  fault(
    "one connection in ten reset, before or after the request was carried out",
    async ({ count, proved }) => {
      const pool = await world.aPool(someCodes(150));
      const wire = await world.aWire();
      const service = await world.anAllocatingProcess(wire);
      const before = count(wire.inject(connectionReset, { share: 0.05, seed: 8 }));
      const after = count(wire.inject(answerLost, { share: 0.05, seed: 9 }));
      const ask = (customerId: string) => service.allocate(pool, { customerId });

      const first = await inParallel(customers(160), ask);
      before.stop();
      after.stop();
      const second = await inParallel(customers(160), ask);

      for (const { status } of first) expect([200, 201, 503]).toContain(status);
      const { given } = await world.prove(pool, { answers: served([...first, ...second]) });
      expect(given).toHaveLength(150);
      proved("served or told 503, every code given once, none lost");
    },
  );

  fault("answers that are cut off in their middle", async ({ count, proved }) => {
    const pool = await world.aPool(someCodes(60));
    const wire = await world.aWire();
    const service = await world.anAllocatingProcess(wire);
    const cutting = count(wire.inject(answerTruncated, { share: 0.1, seed: 4 }));
    const ask = (customerId: string) => service.allocate(pool, { customerId });

    const first = await inParallel(customers(70), ask);
    cutting.stop();
    const second = await inParallel(customers(70), ask);

    for (const { status } of first) expect([200, 201, 503]).toContain(status);
    const { given } = await world.prove(pool, { answers: served([...first, ...second]) });
    expect(given).toHaveLength(60);
    proved("half an answer is never taken for one: served or told 503, every code given once");
  });

  fault("one request hangs, before or after it was carried out", async ({ count, proved }) => {
    const pool = await world.aPool(someCodes(40));
    for (const hang of [hanging, answerHanging]) {
      const wire = await world.aWire();
      const service = await world.anAllocatingProcess(wire);
      count(wire.inject(hang, { matches: isAppend, times: 1 }));

      const reply = await service.allocate(pool, { customerId: `customer-${hang.name}` });

      expect(reply).toMatchObject({ status: 201, body: { source: "pool", repeated: false } });
    }
    const { given } = await world.prove(pool);
    expect(given).toHaveLength(2);
    proved("the client gives it up and sends it again: served, no code burnt");
  });

  fault("nothing answers any more: everything hangs", async ({ count, proved }) => {
    const pool = await world.aPool(someCodes(40));
    const wire = await world.aWire();
    const service = await world.anAllocatingProcess(wire);
    const silence = count(wire.inject(hanging));

    const reply = await service.allocate(pool, { customerId: "ada" });

    expect([reply.status, reply.body.code]).toEqual([503, "unavailable"]);
    // No deadline was set: who ended it was the client, request by request.
    await expect.poll(() => wire.givenUp(), { timeout: 30_000 }).toBe(silence.injected);
    expect(silence.injected).toBeLessThanOrEqual(5);
    silence.stop();
    const { given } = await world.prove(pool);
    expect(given).toHaveLength(0);
    proved("ends by itself with 503 after 5 requests, each given up by the client");
  });

  fault("answers that stop in their middle, on connections that stay", async ({ count, proved }) => {
    const pool = await world.aPool(someCodes(40));
    const wire = await world.aWire();
    const service = await world.anAllocatingProcess(wire);
    count(wire.inject(answerStalled, { matches: isAppend, times: 2 }));
    count(wire.inject(answerStalled, { matches: isOperation("GetItem", "Query", "BatchGetItem"), times: 2 }));

    const replies = await inParallel(customers(4), (customerId) => service.allocate(pool, { customerId }));

    expect(replies.map(({ status }) => status)).toEqual([201, 201, 201, 201]);
    const { given } = await world.prove(pool, { answers: served(replies) });
    expect(given).toHaveLength(4);
    proved("the client gives them up and sends them again: served, no code burnt");
  });

  fault("a table that takes half a second for each answer", async ({ count, proved }) => {
    const pool = await world.aPool(someCodes(30));
    const wire = await world.aWire();
    const service = await world.anAllocatingProcess(wire);
    count(wire.inject(slow(500)));

    const replies = await inParallel(customers(40), (customerId) => service.allocate(pool, { customerId }));

    expect(replies.every(({ status }) => status === 201)).toBe(true);
    const { given } = await world.prove(pool, { answers: served(replies) });
    expect(given).toHaveLength(30);
    proved("everybody is served, every code given once");
  });

  fault(
    "hand-signed writes of an audience: throttled, reset, lost, cut off, stalled",
    async ({ count, proved }) => {
      const pool = await world.aPool(someCodes(300));
      const wire = await world.aWire();
      const job = await aBulkJob(wire.endpoint, pool.promocodeId);
      count(wire.inject(answerStalled, { matches: isAppend, times: 2 }));
      for (const [at, trouble] of [throttled, connectionReset, answerLost, answerTruncated].entries())
        count(wire.inject(trouble, { matches: isAppend, share: 0.1, seed: at + 1 }));

      const placements = await job.allocateMany(customers(320));

      const placed = placements.filter((placement) => placement !== undefined);
      expect(placed).toHaveLength(300);
      expect(placed.filter(({ repeated }) => repeated)).toEqual([]);
      const { given } = await world.prove(pool);
      expect(given).toHaveLength(300);
      proved("every code given once, none burnt, and told as handed out now");
    },
  );
});
