import { afterAll, beforeAll, describe, expect } from "vitest";
import type { DynamoDbEngine } from "../../local/dynamodb/engine.ts";
import { customers, someCodes } from "../support/codes.ts";
import { engines } from "../support/engines.ts";
import { type FaultReport, fault } from "./fault.ts";
import type { WireRequest } from "./fault-proxy.ts";
import {
  type AllocatingProcess,
  aFaultWorld,
  type FaultWorld,
  type KnownPool,
  served,
} from "./fault-world.ts";
import { crashAfter, crashBefore, isTableWrite, type TableWrite, tableWriteOf } from "./wire-faults.ts";

describe("allocation", () => {
  let engine: DynamoDbEngine;
  let world: FaultWorld;
  let healthy: AllocatingProcess;
  beforeAll(async () => {
    engine = await engines[0]!.start();
    world = await aFaultWorld(engine);
    healthy = await world.anAllocatingProcess();
  });
  afterAll(async () => {
    await world.close();
    await engine.close();
  });

  /**
   * Lets a process of its own die before its first write, after it, before its second, … `call` is what it was doing.
   * Of the writes that `matches` picks: not every call makes every other one.
   */
  const crashAtEachWrite = async (
    { count }: FaultReport,
    most: number,
    call: (dying: AllocatingProcess, name: string) => Promise<unknown>,
    repeat: (name: string) => Promise<void>,
    matches: typeof isTableWrite = isTableWrite,
  ): Promise<ReadonlySet<TableWrite>> => {
    const hit = new Set<TableWrite>();
    for (const crash of [crashBefore, crashAfter])
      for (let after = 0; after < most; after += 1) {
        const name = `${crash === crashBefore ? "before" : "after"}-${after}`;
        const wire = await world.aWire();
        const dying = await world.anAllocatingProcess(wire);
        const injection = wire.inject(
          (exchange) => {
            hit.add(tableWriteOf(exchange.request));
            return crash(exchange);
          },
          { matches, after, times: 1 },
        );
        // Whoever is dead answers nobody: what becomes of the call in its process is not waited for.
        const ended = call(dying, name).catch(() => {});
        await Promise.race([wire.crashed, ended]);
        if (injection.injected > 0) count(injection);
        await repeat(name);
      }
    return hit;
  };

  const aHomelyPool = () => world.aPool(someCodes(60));

  fault("crash before and after each write of a Consistent allocation", async (report) => {
    const pools = new Map<string, KnownPool>();
    const poolOf = async (name: string) => {
      const pool = pools.get(name) ?? (await aHomelyPool());
      pools.set(name, pool);
      return pool;
    };
    const request = { customerId: "ada", occurenceId: "send" };

    const hit = await crashAtEachWrite(
      report,
      3,
      async (dying, name) => dying.allocate(await poolOf(name), request),
      async (name) => {
        const pool = await poolOf(name);
        const retried = await healthy.allocate(pool, request);
        const again = await healthy.allocate(pool, request);
        expect(again.body).toEqual({ ...retried.body, repeated: true });
        const { given } = await world.prove(pool, { answers: served([retried, again]) });
        expect(given).toHaveLength(1);
      },
    );

    expect(hit).toEqual(new Set(["context", "base", "append"]));
    report.proved(
      `at ${[...hit].join(", ")}: one code for the customer, the same when asked again, none burnt`,
    );
  });

  for (const allocationMethod of ["Consistent", "Varying"] as const)
    fault(
      `crash before and after each write of a ${allocationMethod} allocation past its homes`,
      async (report) => {
        const pool = await world.aPoolWithFullHomes(someCodes(12, "LATE"), { allocationMethod });
        const late = new Set<string>();
        const crashAtEach = (kind: string, most: number, matches: typeof isTableWrite) => {
          const allocateBy = (process: AllocatingProcess, name: string) =>
            process.allocate(
              pool,
              { customerId: `${kind}-${name}`, occurenceId: "send" },
              { "Idempotency-Key": name },
            );
          return crashAtEachWrite(
            report,
            most,
            allocateBy,
            async (name) => {
              const retried = await allocateBy(healthy, name);
              const again = await allocateBy(healthy, name);
              expect(again.body).toEqual({ ...retried.body, repeated: true });
              expect(retried.body.source).toBe("pool");
              late.add(retried.body.uniqueCode);
            },
            matches,
          );
        };
        const isMark = (request: WireRequest) => tableWriteOf(request) === "mark";

        // Marks of full cells come now and then, which is why they have a round of their own.
        const hit = await crashAtEach("write", 3, (request) => isTableWrite(request) && !isMark(request));
        await crashAtEach("mark", 3, (request) => isTableWrite(request) && isMark(request));

        expect(hit).toEqual(new Set(["context", "intent", "append"]));
        expect(late.size).toBe(12);
        const { given } = await world.prove(pool);
        expect(given).toHaveLength(72);
        report.proved(
          `at ${[...hit].sort().join(", ")}: one code for each trigger, the same when asked again, none burnt`,
        );
      },
    );

  fault("crash before and after each write of a default code given", async (report) => {
    const pool = await world.aPool([]);
    const requestOf = (name: string) => ({ customerId: name, occurenceId: `send-${name}` });

    const hit = await crashAtEachWrite(
      report,
      2,
      (dying, name) => dying.allocate(pool, requestOf(name)),
      async (name) => {
        const retried = await healthy.allocate(pool, requestOf(name));
        const again = await healthy.allocate(pool, requestOf(name));
        expect(retried.body).toMatchObject({ source: "default", occurenceId: `send-${name}` });
        expect(again.body).toEqual({ ...retried.body, repeated: true });
      },
    );

    expect(hit).toEqual(new Set(["context", "default"]));
    const { defaultsGiven } = await world.prove(pool);
    expect(defaultsGiven).toBe(4);
    report.proved("one record for each trigger");
  });

  fault("crash within a batch of 150, before and after its 1st and its 12th write", async (report) => {
    const requests = customers(150).map((customerId) => ({ customerId }));
    for (const crash of [crashBefore, crashAfter])
      for (const after of [0, 11]) {
        const pool = await world.aPool(someCodes(140));
        const wire = await world.aWire();
        const dying = await world.anAllocatingProcess(wire);
        const injection = report.count(wire.inject(crash, { matches: isTableWrite, after, times: 1 }));
        const ended = dying.allocateAll(pool, requests).catch(() => {});
        await Promise.race([wire.crashed, ended]);

        const retried = await healthy.allocateAll(pool, requests);
        const again = await healthy.allocateAll(pool, requests);

        expect(injection.injected).toBe(1);
        const { summary } = retried.body;
        expect(summary.pool + summary.repeated).toBe(140);
        expect(again.body.summary).toMatchObject({ pool: 0, repeated: 140 });
        const { given } = await world.prove(pool, { answers: served([retried, again]) });
        expect(given).toHaveLength(140);
      }
    report.proved("sent again it serves everybody, one code each, every code given once, none lost");
  });
});
