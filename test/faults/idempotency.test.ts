import { afterAll, afterEach, beforeAll, describe, expect, vi } from "vitest";
import type { DynamoDbEngine } from "../../local/dynamodb/engine.ts";
import type { RouteName } from "../../shared/contract/routes.ts";
import type { ApiHandler } from "../../shared/http/api-handler.ts";
import { leaseSeconds } from "../../shared/storage/idempotency.ts";
import { type CallOptions, callApi } from "../support/api-call.ts";
import { engines } from "../support/engines.ts";
import { fault } from "./fault.ts";
import { aFaultWorld, type FaultWorld } from "./fault-world.ts";
import { scanTable } from "./pool-truth.ts";
import { startProcess } from "./start-process.ts";
import { answerLost, crashAfter, crashBefore, isTableWrite } from "./wire-faults.ts";

interface Recorded {
  readonly route: RouteName;
  readonly load: () => Promise<{ readonly handler: ApiHandler }>;
  readonly options: (name: string) => CallOptions;
}

/** Calls that create something and keep their answer, with a name that what they create bears. */
const recorded: readonly Recorded[] = [
  {
    route: "createPromotion",
    load: () => import("../../functions/create-promotion/handler.ts"),
    options: (name) => ({ body: { name } }),
  },
  {
    route: "createPromocode",
    load: () => import("../../functions/create-promocode/handler.ts"),
    options: (name) => ({ body: { promotionId: "origin", type: "global", code: name } }),
  },
];

describe("a POST with an Idempotency-Key", () => {
  let engine: DynamoDbEngine;
  let world: FaultWorld;
  beforeAll(async () => {
    engine = await engines[0]!.start();
    world = await aFaultWorld(engine);
    const { handler } = await startProcess(
      engine.endpoint,
      () => import("../../functions/create-promotion/handler.ts"),
    );
    await callApi(handler, "createPromotion", {
      body: { name: "Origin", promotionId: "origin", status: "active" },
    });
  });
  afterEach(() => {
    vi.useRealTimers();
  });
  afterAll(async () => {
    await world.close();
    await engine.close();
  });

  const created = async (name: string) =>
    (await scanTable(world.table)).filter((item) => item.name === name || item.code === name);

  for (const { route, load, options } of recorded) {
    const caller = async (endpoint: string, name: string) => {
      const { handler } = await startProcess(endpoint, load);
      const headers = { "Idempotency-Key": `key of ${name}` };
      return () => callApi(handler, route, { ...options(name), headers });
    };

    fault(`${route} crashed before and after each of its writes`, async ({ count, proved }) => {
      for (const crash of [crashBefore, crashAfter])
        for (let after = 0; ; after += 1) {
          const name = `${route}-${crash.name}-${after}`;
          const wire = await world.aWire();
          const dying = await caller(wire.endpoint, name);
          const injection = wire.inject(crash, { matches: isTableWrite, after, times: 1 });
          await Promise.race([wire.crashed, dying()]);
          if (injection.injected === 0) break;
          count(injection);

          const retry = await caller(engine.endpoint, name);
          const atOnce = await retry();
          vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + leaseSeconds * 1_000 + 1 });
          const later = await retry();
          const again = await retry();
          vi.useRealTimers();

          // Either nothing was begun, or it waits for the lease, or the answer was kept already.
          expect([201, 409]).toContain(atOnce.status);
          expect(later.status).toBe(201);
          expect(again).toMatchObject({ status: 201, body: later.body });
          expect(again.headers["idempotent-replayed"]).toBe("true");
          if (atOnce.status === 201) expect(later.body).toEqual(atOnce.body);
          expect(await created(name)).toHaveLength(1);
        }
      proved("created once, every retry told the same");
    });

    fault(`${route} whose every write is carried out and its answer lost once`, async ({ count, proved }) => {
      for (let after = 0; ; after += 1) {
        const name = `${route}-lost-${after}`;
        const wire = await world.aWire();
        const call = await caller(wire.endpoint, name);
        const injection = wire.inject(answerLost, { matches: isTableWrite, after, times: 1 });
        const answer = await call();
        const again = await call();

        expect(answer.status).toBe(201);
        expect(again).toMatchObject({ status: 201, body: answer.body });
        expect(await created(name)).toHaveLength(1);
        if (injection.injected === 0) break;
        count(injection);
      }
      proved("created once, the retry told the same");
    });
  }
});
