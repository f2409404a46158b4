import { afterAll, beforeAll, describe, expect } from "vitest";
import type { DynamoDbEngine } from "../../local/dynamodb/engine.ts";
import { customers, someCodes } from "../support/codes.ts";
import { engines } from "../support/engines.ts";
import { inParallel } from "../support/in-parallel.ts";
import { fault } from "./fault.ts";
import { aFaultWorld, type FaultWorld } from "./fault-world.ts";
import { isTableWrite, throttled } from "./wire-faults.ts";

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

  for (const percent of [1, 10, 50])
    fault(`${percent} % of writes throttled`, async ({ count, proved }) => {
      const pool = await world.aPool(someCodes(400));
      const wire = await world.aWire();
      const service = await world.anAllocatingProcess(wire);
      count(wire.inject(throttled, { matches: isTableWrite, share: percent / 100, seed: percent }));

      const wanted = customers(420);
      const replies = await inParallel(wanted, (customerId) => service.allocate(pool, { customerId }));

      const answered = replies.filter(({ status }) => status < 300).map(({ body }) => body);
      const refused = replies.filter(({ status }) => status >= 300);
      expect(refused.every(({ status, body }) => status === 503 && body.code === "unavailable")).toBe(true);
      await world.prove(pool, { answers: answered });
      proved("whoever was not served got 503");
    });
});
