import { afterAll, beforeAll, describe, expect } from "vitest";
import type { DynamoDbEngine } from "../../local/dynamodb/engine.ts";
import { customers, someCodes } from "../support/codes.ts";
import { engines } from "../support/engines.ts";
import { inParallel } from "../support/in-parallel.ts";
import { fault } from "./fault.ts";
import { aFaultWorld, type FaultWorld, served } from "./fault-world.ts";
import { failing, isOperation, isTableWrite, throttled, unprocessed } from "./wire-faults.ts";

describe("allocation", () => {
  let engine: DynamoDbEngine;
  let world: FaultWorld;
  beforeAll(async () => {
    engine = await engines[0]!.start();
    world = await aFaultWorld(engine);
  });
  afterAll(async () => {
    await world.close();
    await engine.close();
  });

  for (const [percent, codes] of [
    [1, 200],
    [10, 200],
    [50, 60],
  ] as const)
    fault(`${percent} % of writes throttled`, async ({ count, proved }) => {
      const pool = await world.aPool(someCodes(codes));
      const wire = await world.aWire();
      const service = await world.anAllocatingProcess(wire);
      const throttling = count(
        wire.inject(throttled, { matches: isTableWrite, share: percent / 100, seed: percent }),
      );
      const ask = (customerId: string) => service.allocate(pool, { customerId, occurenceId: "send" });

      const first = await inParallel(customers(codes + 20), ask);
      throttling.stop();
      const second = await inParallel(customers(codes + 20), ask);

      for (const { status, body } of first)
        if (status >= 300) expect([status, body.code]).toEqual([503, "unavailable"]);
      proved("who was not served got 503");
      expect(second.every(({ status }) => status < 300)).toBe(true);
      const { given } = await world.prove(pool, { answers: served([...first, ...second]) });
      expect(given).toHaveLength(codes);
      proved("served when asked again, every code given once, none lost");
    });

  fault("every fifth answer of the table is a 500", async ({ count, proved }) => {
    const pool = await world.aPool(someCodes(100));
    const wire = await world.aWire();
    const service = await world.anAllocatingProcess(wire);
    const failures = count(wire.inject(failing, { share: 0.2, seed: 5 }));
    const ask = (customerId: string) => service.allocate(pool, { customerId });

    const first = await inParallel(customers(110), ask);
    failures.stop();
    const second = await inParallel(customers(110), ask);

    for (const { status, body } of first)
      if (status >= 300) expect([status, body.code]).toEqual([503, "unavailable"]);
    const { given } = await world.prove(pool, { answers: served([...first, ...second]) });
    expect(given).toHaveLength(100);
    proved("who was not served got 503 and was served when asked again, every code given once, none lost");
  });

  fault("BatchGetItem leaves half of the keys unprocessed, again and again", async ({ count, proved }) => {
    const pool = await world.aPool(someCodes(120));
    const wire = await world.aWire();
    const service = await world.anAllocatingProcess(wire);
    count(wire.inject(unprocessed(0.5), { matches: isOperation("BatchGetItem"), share: 0.8, seed: 3 }));
    const requests = customers(130).map((customerId) => ({ customerId }));

    const batch = await service.allocateAll(pool, requests);
    const again = await service.allocateAll(pool, requests);
    const single = await inParallel(requests, (request) => service.allocate(pool, request));

    expect([batch.status, again.status]).toEqual([200, 200]);
    expect(batch.body.summary).toEqual({ pool: 120, repeated: 0, default: 10, failed: 0 });
    expect(again.body.summary).toMatchObject({ pool: 0, repeated: 120, failed: 0 });
    expect(single.every(({ status }) => status < 300)).toBe(true);
    const { given } = await world.prove(pool, { answers: [...served([batch, again]), ...served(single)] });
    expect(given).toHaveLength(120);
    proved("no customer passed over, every code given once, none lost");
  });

  fault("BatchGetItem never gets round to any key", async ({ count, proved }) => {
    const pool = await world.aPool(someCodes(50));
    const wire = await world.aWire();
    const service = await world.anAllocatingProcess(wire);
    const starving = count(wire.inject(unprocessed(0), { matches: isOperation("BatchGetItem") }));
    const requests = customers(20).map((customerId) => ({ customerId }));

    const starved = await service.allocateAll(pool, requests);
    starving.stop();
    const after = await service.allocateAll(pool, requests);

    expect([starved.status, starved.body.code]).toEqual([503, "unavailable"]);
    proved("ends by itself with 503");
    expect(after.body.summary).toEqual({ pool: 20, repeated: 0, default: 0, failed: 0 });
    const { given } = await world.prove(pool, { answers: served([after]) });
    expect(given).toHaveLength(20);
    proved("served when asked again, no code lost");
  });
});
