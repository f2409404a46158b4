import { afterAll, beforeAll, describe, expect } from "vitest";
import type { DynamoDbEngine } from "../../local/dynamodb/engine.ts";
import { customers, someCodes } from "../support/codes.ts";
import { engines } from "../support/engines.ts";
import { inParallel } from "../support/in-parallel.ts";
import { fault, injectionByHand } from "./fault.ts";
import { aFaultWorld, type FaultWorld, served } from "./fault-world.ts";
import { isAppend, isWriteOf, together } from "./wire-faults.ts";

const rounds = 5;

describe.each(engines)("races on $name", ({ start, name }) => {
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

  for (const allocationMethod of ["Consistent", "Varying"] as const)
    fault(`the same trigger 50 times in parallel, under ${allocationMethod}`, async ({ count, proved }) => {
      const pool = await world.aPool(someCodes(100), { allocationMethod });
      const wire = await world.aWire();
      // All writes meet at the table at the same moment, whatever the machine does.
      count(wire.inject(together(50), { matches: isAppend, times: 50 }));
      const processes = [await world.anAllocatingProcess(wire), await world.anAllocatingProcess(wire)];
      const times = Array.from({ length: 50 }, (_, at) => at);

      const replies = await Promise.all(
        times.map((at) =>
          processes[at % 2]!.allocate(pool, { customerId: "ada" }, { "Idempotency-Key": "order-1" }),
        ),
      );

      expect(new Set(replies.map(({ body }) => body.uniqueCode)).size).toBe(1);
      expect(replies.filter(({ status }) => status === 201)).toHaveLength(1);
      const { given } = await world.prove(pool, { answers: served(replies) });
      expect(given).toHaveLength(1);
      proved("one code, told once as new, 49 times as repeated");
    });

  fault("two customers race for the last code", async ({ count, proved }) => {
    const wire = await world.aWire();
    count(wire.inject(together(2), { matches: isAppend, times: 2 * rounds }));
    const processes = [await world.anAllocatingProcess(wire), await world.anAllocatingProcess(wire)];
    for (let round = 0; round < rounds; round += 1) {
      const pool = await world.aPool(["LAST"], { onExhausted: "refuse" });

      const replies = await Promise.all(
        processes.map((service, at) => service.allocate(pool, { customerId: `customer-${at}` })),
      );

      expect(replies.map(({ status }) => status).sort()).toEqual([201, 409]);
      expect(replies.find(({ status }) => status === 409)?.body.code).toBe("pool-exhausted");
      const { given } = await world.prove(pool, { answers: served(replies) });
      expect(given).toHaveLength(1);
    }
    proved("one gets it, the other is told that the pool is dry");
  });

  fault("one customer races herself for the last code", async ({ count, proved }) => {
    const wire = await world.aWire();
    count(wire.inject(together(2), { matches: isAppend, times: 2 * rounds }));
    const processes = [await world.anAllocatingProcess(wire), await world.anAllocatingProcess(wire)];
    for (let round = 0; round < rounds; round += 1) {
      const pool = await world.aPool(["LAST"], { onExhausted: "refuse" });

      const replies = await Promise.all(
        processes.map((service) => service.allocate(pool, { customerId: "ada" })),
      );

      expect(replies.map(({ status }) => status).sort()).toEqual([200, 201]);
      const { given } = await world.prove(pool, { answers: served(replies) });
      expect(given).toHaveLength(1);
    }
    proved("she gets it, twice the same");
  });

  if (name !== "dynoxide") return;

  fault("a customer whose homes are full races herself past them", async ({ count, proved }) => {
    const pool = await world.aPoolWithFullHomes(someCodes(20, "LATE"));
    const wire = await world.aWire();
    count(wire.inject(together(2), { matches: isWriteOf("customer#"), times: 16 }));
    const processes = [await world.anAllocatingProcess(wire), await world.anAllocatingProcess(wire)];

    for (const customerId of customers(12, "late")) {
      const [one, other] = await Promise.all(
        processes.map((service) => service.allocate(pool, { customerId })),
      );
      expect(other?.body.uniqueCode).toBe(one?.body.uniqueCode);
    }

    const { given } = await world.prove(pool);
    expect(given).toHaveLength(72);
    proved("both calls meet in one intent: one code each customer");
  });

  fault("the pool runs dry and is refilled under load, three times", async ({ count, proved }) => {
    let pool = await world.aPool(someCodes(30, "A"));
    const processes = [await world.anAllocatingProcess(), await world.anAllocatingProcess()];
    const refills = count(
      injectionByHand(async (prefix: string) => {
        pool = await world.refill(pool, someCodes(30, prefix));
      }),
    );
    const everybody = customers(130);
    const ask = (customerId: string, at: number) => processes[at % 2]!.allocate(pool, { customerId });

    let defaults = 0;
    const load = async () => {
      const replies = await inParallel([...everybody.entries()], async ([at, customerId]) => {
        const reply = await ask(customerId, at);
        if (reply.body.source === "default") defaults += 1;
        return reply;
      });
      return replies;
    };
    const answers = [];
    for (const prefix of ["B", "C", "D"]) {
      const [replies] = await Promise.all([load(), dryThenRefill(prefix)]);
      answers.push(...replies);
    }
    async function dryThenRefill(prefix: string) {
      const before = defaults;
      while (defaults === before) await new Promise((resolve) => setTimeout(resolve, 5));
      await refills.fire(prefix);
    }
    const after = await load();

    expect(after.filter(({ body }) => body.source === "default")).toHaveLength(10);
    const { given } = await world.prove(pool, { answers: served([...answers, ...after]) });
    expect(given).toHaveLength(120);
    proved("every code given once, who had a default code got one of her own after the refill");
  });
});
