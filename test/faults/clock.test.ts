import { afterAll, afterEach, beforeAll, describe, expect, vi } from "vitest";
import type { DynamoDbEngine } from "../../local/dynamodb/engine.ts";
import type { Promotion } from "../../shared/contract/promotions.ts";
import { aLoaderWorld, numbered } from "../integration/loader-world.ts";
import { callApi } from "../support/api-call.ts";
import { customers, someCodes } from "../support/codes.ts";
import { engines } from "../support/engines.ts";
import { inParallel } from "../support/in-parallel.ts";
import { aBulkJob } from "./bulk-job.ts";
import { fault, injectionByHand } from "./fault.ts";
import { aFaultWorld, type FaultWorld, served } from "./fault-world.ts";
import { scanTable } from "./pool-truth.ts";
import { provePool } from "./prove-pool.ts";
import { startProcess } from "./start-process.ts";
import { heldBack, isOperation, isSignedFarOff, isWriteOf, refusedForItsClock } from "./wire-faults.ts";

const tenMinutes = 10 * 60_000;

describe("a clock ten minutes off, fast or slow", () => {
  let engine: DynamoDbEngine;
  let world: FaultWorld;
  beforeAll(async () => {
    engine = await engines[0]!.start();
    world = await aFaultWorld(engine);
  });
  afterEach(() => {
    vi.useRealTimers();
  });
  afterAll(async () => {
    await world.close();
    await engine.close();
  });

  /** Only what time it is; timers go on as they are. */
  const aClock = () =>
    injectionByHand((offMs: number) => {
      vi.useRealTimers();
      if (offMs !== 0) vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + offMs });
    });

  fault("of a process that allocates", async ({ count, proved }) => {
    const clock = count(aClock());
    const pool = await world.aPool(someCodes(60));
    const service = await world.anAllocatingProcess();
    const ask = (customerId: string) => service.allocate(pool, { customerId, occurenceId: "send" });

    const answers = [];
    for (const offMs of [tenMinutes, -tenMinutes, 0]) {
      clock.fire(offMs);
      answers.push(...(await inParallel(customers(40), ask)));
    }

    const { given } = await world.prove(pool, { answers: served(answers) });
    expect(given).toHaveLength(40);
    proved("the same code and the first time again, whatever the clock says, every code given once");
  });

  fault("of a process that meets another one's lease of an Idempotency-Key", async ({ count, proved }) => {
    const clock = count(aClock());
    for (const offMs of [tenMinutes, -tenMinutes]) {
      const name = `Spring ${offMs}`;
      const wire = await world.aWire();
      const create = async (endpoint: string) => {
        const { handler } = await startProcess(
          endpoint,
          () => import("../../functions/create-promotion/handler.ts"),
        );
        return () =>
          callApi<Promotion & { code?: string }>(handler, "createPromotion", {
            body: { name },
            headers: { "Idempotency-Key": name },
          });
      };
      const slowOne = await create(wire.endpoint);
      const otherOne = await create(engine.endpoint);
      const held = heldBack();
      count(wire.inject(held.fault, { matches: isWriteOf("promotions"), times: 1 }));

      const first = slowOne();
      await held.arrived;
      clock.fire(offMs);
      const second = await otherOne();
      clock.fire(0);
      held.release();
      const firstAnswer = await first;
      const third = await otherOne();

      // Fast: it takes the lease for run out, and creates what the other one creates. Slow: it waits the longer.
      expect(second.status).toBe(offMs > 0 ? 201 : 409);
      if (offMs > 0) expect(second.body.promotionId).toBe(firstAnswer.body.promotionId);
      else expect(second.body.code).toBe("request-in-progress");
      expect(third.body).toEqual(firstAnswer.body);
      const promotions = (await scanTable(world.table)).filter((item) => item.name === name);
      expect(promotions).toHaveLength(1);
    }
    proved("one promotion, all tries told the same one");
  });

  fault("of a process that goes on with another one's cursor", async ({ count, proved }) => {
    const clock = count(aClock());
    const create = await startProcess(
      engine.endpoint,
      () => import("../../functions/create-promotion/handler.ts"),
    );
    for (const number of [1, 2, 3, 4, 5, 6])
      await callApi(create.handler, "createPromotion", {
        body: { name: `Page ${number}`, promotionId: `page-${number}` },
      });

    const seen: string[] = [];
    let cursor: string | undefined;
    for (let offMs = tenMinutes; ; offMs = -offMs) {
      const { handler } = await startProcess(
        engine.endpoint,
        () => import("../../functions/list-promotions/handler.ts"),
      );
      clock.fire(offMs);
      const { status, body } = await callApi<{ items: readonly Promotion[]; nextCursor?: string }>(
        handler,
        "listPromotions",
        { query: { limit: "2", ...(cursor !== undefined && { cursor }) } },
      );
      expect(status).toBe(200);
      seen.push(...body.items.map(({ promotionId }) => promotionId));
      cursor = body.nextCursor;
      if (cursor === undefined) break;
    }

    expect(seen.filter((id) => id.startsWith("page-"))).toEqual(
      [1, 2, 3, 4, 5, 6].map((number) => `page-${number}`),
    );
    proved("every page once, none refused");
  });

  fault("of an authorizer, around rotations and revocations", async ({ count, proved }) => {
    const clock = count(aClock());
    const keys = await startProcess(engine.endpoint, async () => ({
      ...(await import("../../shared/storage/api-keys.ts")),
      ...(await import("../../functions/authorize-request/handler.ts")),
    }));
    const authorize = (secret: string) =>
      keys.handler({
        type: "REQUEST",
        methodArn: "arn:aws:execute-api:eu-west-1:123456789012:abcdef/dev/GET/v1/promotions",
        headers: { "X-API-KEY": secret },
        multiValueHeaders: { "X-API-KEY": [secret] },
      } as unknown as Parameters<typeof keys.handler>[0]);
    const isLetIn = (secret: string) =>
      authorize(secret).then(
        () => true,
        () => false,
      );
    const now = new Date();
    const old = await keys.createApiKey({ name: "shop", scopes: ["allocate"], now });
    const fresh = await keys.rotateApiKey(old.keyId, { graceSeconds: 3_600, now });
    const revoked = await keys.createApiKey({ name: "gone", scopes: ["admin"], now });
    await keys.revokeApiKey(revoked.keyId, { now });

    for (const offMs of [tenMinutes, -tenMinutes]) {
      clock.fire(offMs);
      expect(await isLetIn(fresh.secret)).toBe(true);
      expect(await isLetIn(old.secret)).toBe(true);
      expect(await isLetIn(revoked.secret)).toBe(false);
      // The grace ends when this clock says so: at most ten minutes late.
      clock.fire(offMs + 3_600_000 + tenMinutes + 1);
      expect(await isLetIn(fresh.secret)).toBe(true);
      expect(await isLetIn(old.secret)).toBe(false);
      expect(await isLetIn(revoked.secret)).toBe(false);
    }
    proved("both keys of a rotation work, the old one ten minutes too long at most, a revoked one never");
  });

  fault("of a loader that finds another one's lock", async ({ count, proved }) => {
    const clock = count(aClock());
    for (const offMs of [tenMinutes, -tenMinutes]) {
      const wire = await world.aWire();
      const loader = await aLoaderWorld({ ...engine, endpoint: wire.endpoint });
      const promocode = await loader.aPromocode();
      const [first, second] = [
        numbered(300, "A-"),
        numbered(300, "A-").slice(0, 50).concat(numbered(200, "B-")),
      ];
      const one = await loader.drop(promocode, first.join("\n"), "one.csv");
      const other = await loader.drop(promocode, second.join("\n"), "other.csv");
      const held = heldBack();
      count(wire.inject(held.fault, { matches: isOperation("TransactWriteItems"), times: 1 }));

      const loading = loader.deliver(one.event);
      await held.arrived;
      clock.fire(offMs);
      const delivered = await loader.deliver(other.event);
      clock.fire(0);
      held.release();
      await loading;
      const files = async () => (await loader.files(promocode)).filter(({ status }) => status !== "ready");
      for (let tries = 0; (await files()).length > 0 && tries < 5; tries += 1) {
        // Whoever waited, or lost, is delivered again.
        clock.fire(tries * 2 * 60_000);
        await loader.deliver(one.event, { receives: 2 });
        await loader.deliver(other.event, { receives: 2 });
      }

      expect(delivered).toBe(true);
      expect(await files()).toEqual([]);
      await provePool({ engine, tableName: loader.tableName }, promocode.promocodeId, {
        codes: [...first, ...numbered(200, "B-")],
      });
      clock.fire(0);
      await loader.close();
    }
    process.env.TABLE_NAME = world.table.tableName;
    proved("both files whole, codes that both brought are in the pool once");
  });

  fault("of a process whose signatures AWS refuses for it", async ({ count, proved }) => {
    const clock = count(aClock());
    const pool = await world.aPool(someCodes(80));
    for (const [at, offMs] of [tenMinutes, -tenMinutes].entries()) {
      const wire = await world.aWire();
      const service = await world.anAllocatingProcess(wire);
      const job = await aBulkJob(wire.endpoint, pool.promocodeId);
      clock.fire(offMs);
      count(wire.inject(refusedForItsClock, { matches: isSignedFarOff }));

      const replies = await inParallel(customers(10, `one-${at}`), (customerId) =>
        service.allocate(pool, { customerId }),
      );
      const placements = await job.allocateMany(customers(20, `many-${at}`));

      expect(replies.map(({ status }) => status)).toEqual(replies.map(() => 201));
      expect(placements.every((placement) => placement !== undefined)).toBe(true);
    }
    const { given } = await world.prove(pool);
    expect(given).toHaveLength(60);
    proved("the SDK and hand-signed requests go by the server's clock: served, none burnt");
  });
});
