import { SendMessageCommand } from "@aws-sdk/client-sqs";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { DynamoDbEngine } from "../../local/dynamodb/engine.ts";
import type { Allocation, Code } from "../../shared/contract/allocations.ts";
import type { Erasure } from "../../shared/contract/erasures.ts";
import type { PersonalizedPromocode } from "../../shared/domain/promocode.ts";
import { holderOf, tombstone } from "../../shared/pool/cell.ts";
import { callApi, refusedApiCall } from "../support/api-call.ts";
import { engines } from "../support/engines.ts";
import { inParallel } from "../support/in-parallel.ts";
import { anErasureWorld, type ErasureWorld, longCodes } from "./erasure-world.ts";

const occasions = (count: number) => Array.from({ length: count }, (_, at) => `send-${at}`);
const noon = new Date("2026-11-23T12:00:00.000Z");
const anHourLater = new Date("2026-11-23T13:00:00.000Z");
let persons = 0;

describe.each(engines)("erasing a person, on $name", ({ start }) => {
  let engine: DynamoDbEngine;
  let world: ErasureWorld;
  beforeAll(async () => {
    engine = await start();
    world = await anErasureWorld(engine);
  });
  beforeEach(() => world.mendQueue());
  afterAll(async () => {
    world.close();
    await engine.close();
  });

  /** An id that nothing else holds, not even as a part. */
  const aPerson = () => `person ${++persons} / Zoë`;

  /** Somebody with more codes under Varying than their two homes have, so that two need intents. And 2 default codes. */
  const aCustomerOfMany = async () => {
    const customerId = aPerson();
    const many = await world.aPromocode(longCodes(60), { allocationMethod: "Varying" });
    const dry = await world.aPromocode([]);
    const others = Array.from({ length: 3 }, (_, at) => `other ${at}`);
    const codes: Allocation[] = [];
    let intents = 0;
    for (; intents < 2; intents = await world.intentsOf(many, customerId))
      codes.push(await world.allocate(many, customerId, { occurenceId: `send-${codes.length}`, now: noon }));
    const otherCodes = await inParallel(others, (other) => world.allocate(many, other, { now: noon }));
    for (const occurenceId of occasions(2)) await world.allocate(dry, customerId, { occurenceId, now: noon });
    const erased = { status: "succeeded", codes: codes.length, intents, defaultCodes: 2 };
    return { customerId, many, dry, codes, otherCodes, erased };
  };
  const codesOf = (allocations: readonly Allocation[]) =>
    allocations.map(({ uniqueCode }) => uniqueCode).sort();

  /** Nothing is left of them, their codes stay used, and everybody else has what they had. */
  const expectErased = async ({
    customerId,
    many,
    codes,
    otherCodes,
  }: Awaited<ReturnType<typeof aCustomerOfMany>>) => {
    expect(await world.itemsWith(customerId)).toEqual([]);
    const { tokenByCode, erased } = await world.holders(many);
    expect(erased.sort()).toEqual(codesOf(codes));
    expect(tokenByCode.size).toBe(codes.length + otherCodes.length);
    for (const { uniqueCode, customerId: other } of otherCodes)
      expect(holderOf(tokenByCode.get(uniqueCode)!).customerId).toBe(other);
  };

  it("leaves nothing of them in the table, and their codes used", async () => {
    const person = await aCustomerOfMany();
    expect((await world.itemsWith(person.customerId)).length).toBeGreaterThan(5);
    const erasureId = await world.anErasure(person.customerId, anHourLater);

    expect(await world.run(erasureId)).toBe("waits");
    expect(await world.run(erasureId)).toBe("succeeded");

    await expectErased(person);
    expect(await world.erasures.get(erasureId, noon)).toMatchObject(person.erased);
    expect(await world.holdingsOf(await fresh(person.many), person.customerId)).toEqual([]);
    expect(await world.holdingsOf(await fresh(person.dry), person.customerId)).toEqual([]);
  });

  const fresh = async ({ promocodeId }: PersonalizedPromocode) =>
    (await world.promocodes.get(promocodeId)) as PersonalizedPromocode;

  it("takes nobody whose id begins or ends like theirs", async () => {
    const customerId = aPerson();
    const promocode = await world.aPromocode(longCodes(30));
    const namesakes = [`${customerId}2`, `x${customerId}`, customerId.toUpperCase(), `${customerId} `];
    await inParallel(namesakes, (namesake) => world.allocate(promocode, namesake));
    await world.allocate(promocode, customerId);

    await world.runAll(await world.anErasure(customerId));

    const { tokenByCode, erased } = await world.holders(promocode);
    expect(erased).toHaveLength(1);
    expect([...tokenByCode.values()].filter((token) => token !== tombstone).sort()).toEqual(
      [...namesakes].sort(),
    );
  });

  it("makes whoever comes after with that id somebody new, who gets one new code", async () => {
    const customerId = aPerson();
    const promocode = await world.aPromocode(longCodes(30));
    const before = await world.allocate(promocode, customerId);
    await world.runAll(await world.anErasure(customerId));

    const after = await inParallel([1, 2, 3], () => world.allocate(promocode, customerId));

    expect(new Set(codesOf(after)).size).toBe(1);
    expect(after[0]?.uniqueCode).not.toBe(before.uniqueCode);
    expect(codesOf(await world.holdingsOf(await fresh(promocode), customerId))).toEqual([
      after[0]!.uniqueCode,
    ]);
  });

  it("can be done to the same id again and again: two tombstones in a cell are two codes used", async () => {
    const customerId = aPerson();
    const promocode = await world.aPromocode(longCodes(5));
    for (let erased = 1; erased <= 3; erased++) {
      await world.allocate(promocode, customerId);
      await world.runAll(await world.anErasure(customerId));
      expect((await world.holders(promocode)).erased).toHaveLength(erased);
    }
    expect(await world.cellsOf(promocode)).toHaveLength(1);
    expect((await world.allocate(promocode, "somebody else")).source).toBe("pool");
  });

  it("overwrites a slot only if it holds the token that was seen there, and never lengthens the list", async () => {
    const promocode = await world.aPromocode(longCodes(5));
    for (const customerId of ["a", "b"]) await world.allocate(promocode, customerId);
    const [cell] = await world.cellsOf(promocode);
    const { dynamoErasureStore } = await import("../../shared/storage/erasure-store.ts");
    const { promocodeId } = promocode;
    const store = dynamoErasureStore({ erasureId: "era_x", promocodeId, customerId: "c", expiresAt: 0 });

    for (const slot of [0, 1, 2, 5]) await store.overwrite({ address: cell!.address, slot, token: "c" });

    expect(await world.cellsOf(promocode)).toEqual([cell]);
  });

  it("lets a job that places very many give the id a new code, beside its tombstone", async () => {
    const customerId = aPerson();
    const promocode = await world.aPromocode(longCodes(5));
    const before = await world.allocate(promocode, customerId);
    await world.runAll(await world.anErasure(customerId));
    const { newPool, refresh } = await import("../../shared/pool/pool.ts");
    const { allocateMany } = await import("../../shared/pool/bulk.ts");
    const { bulkPoolStore } = await import("../../shared/storage/bulk-pool-store.ts");
    const { parseSalt } = await import("../../shared/pool/hash.ts");
    const pool = newPool({ store: bulkPoolStore(promocode.promocodeId), salt: parseSalt(promocode.salt) });
    await refresh(pool);

    const ids = [customerId, "other", customerId];
    const placed = await allocateMany(
      pool,
      ids.map((id) => ({ holder: { customerId: id, trigger: null }, stamp: { at: 1, contextId: "" } })),
      { readsFirst: true },
    );

    const { tokenByCode, erased } = await world.holders(promocode);
    expect(erased).toEqual([before.uniqueCode]);
    expect([...tokenByCode.values()].sort()).toEqual([tombstone, customerId, "other"].sort());
    expect(placed[0]?.slot).toBe(placed[2]?.slot);
    expect(placed[0]?.repeated).toBe(false);
  });

  it("tells of a code whose holder was erased that it is allocated, to nobody", async () => {
    const customerId = aPerson();
    const promocode = await world.aPromocode(longCodes(10));
    const { uniqueCode } = await world.allocate(promocode, customerId, {
      occurenceId: "welcome",
      now: noon,
    });
    await world.runAll(await world.anErasure(customerId, anHourLater));

    const { status, body } = await callApi<Code>(world.handlers.getCode, "getCode", {
      path: { promocodeId: promocode.promocodeId, uniqueCode },
    });

    expect(status).toBe(200);
    expect(body).toMatchObject({
      uniqueCode,
      status: "allocated",
      allocation: { customerId: null, timestamp: noon.toISOString(), occurenceId: "welcome" },
    });
  });

  it("is queued by the call, with a message that does not name them, and succeeds for a person unknown", async () => {
    const customerId = aPerson();

    const asked = await callApi<Erasure>(world.handlers.eraseCustomer, "eraseCustomer", {
      path: { customerId: encodeURIComponent(customerId) },
    });

    const { erasureId } = asked.body;
    expect(asked.status).toBe(202);
    expect(asked.headers.location).toBe(`/dev/v1/erasures/${erasureId}`);
    expect(asked.body).toEqual({
      erasureId: expect.stringMatching(/^era_/),
      status: "queued",
      progress: { round: 0, promocodes: 0 },
      erased: { codes: 0, intents: 0, defaultCodes: 0 },
      createdAt: expect.any(String),
    });
    expect(world.sentMessages()).toEqual([{ message: { erasureId }, delaySeconds: 0 }]);
    await world.runAll(erasureId);
    const { status, body } = await callApi<Erasure>(world.handlers.getErasure, "getErasure", {
      path: { erasureId },
    });
    expect(status).toBe(200);
    expect(body).toMatchObject({
      status: "succeeded",
      progress: { round: 2 },
      erased: { codes: 0, intents: 0, defaultCodes: 0 },
    });
    const days = (until: string | undefined) =>
      (Date.parse(until!) - Date.parse(body.completedAt!)) / 86_400_000;
    expect([days(body.filesUntil), days(body.backupsUntil)]).toEqual([7, 35]);
    expect(await world.itemsWith(customerId)).toEqual([]);
  });

  it("leaves no record of a person whose erasure could not be queued", async () => {
    const customerId = aPerson();
    world.sqs.on(SendMessageCommand).rejectsOnce(new Error("no queue today")).resolves({});

    const { status } = await refusedApiCall(world.handlers.eraseCustomer, "eraseCustomer", {
      path: { customerId: encodeURIComponent(customerId) },
    });

    expect(status).toBe(500);
    expect(await world.itemsWith(customerId)).toEqual([]);
  });

  it("is for admins alone", async () => {
    for (const [name, path] of [
      ["eraseCustomer", { customerId: "a" }],
      ["getErasure", { erasureId: "era_01KA5SE6B2D4F6H8K0M2P4R6T8" }],
    ] as const)
      for (const scopes of ["read", "allocate", "read allocate"]) {
        const { status } = await refusedApiCall(world.handlers[name], name, { path, scopes });
        expect(status).toBe(403);
      }
    const { body } = await refusedApiCall(world.handlers.getErasure, "getErasure", {
      path: { erasureId: "era_01KA5SE6B2D4F6H8K0M2P4R6T8" },
    });
    expect(body).toMatchObject({ status: 404, code: "erasure-not-found" });
  });

  it("waits until calls have ended, as long as SQS delays a message at a time", async () => {
    const erasureId = await world.anErasure(aPerson());

    expect(await world.deliver({ erasureId })).toBe(true);
    expect(world.sentMessages()).toEqual([{ message: { erasureId }, delaySeconds: 900 }]);
    // It comes early: the rest is waited for.
    expect(await world.deliver({ erasureId })).toBe(true);
    expect(world.sentMessages()).toEqual([{ message: { erasureId }, delaySeconds: 900 }]);

    const { nextRoundAt, round, status } = await world.erasures.get(erasureId, new Date());
    expect({ round, status }).toEqual({ round: 1, status: "running" });
    expect(Date.parse(nextRoundAt!)).toBeGreaterThan(Date.now() + 900_000);
  });

  it("goes on in another run when its time is over", async () => {
    await world.turnToEmptyTable();
    const person = await aCustomerOfMany();
    const erasureId = await world.anErasure(person.customerId, anHourLater);
    let runs = 0;
    let outcome: string;
    do {
      let looks = 0;
      // A step more in each run: so it is interrupted everywhere once, and gets through in the end.
      const steps = runs;
      outcome = await world.run(erasureId, { timeLeftMs: () => (looks++ < steps ? 900_000 : 0) });
      if (outcome === "queued again")
        expect(world.sentMessages()).toEqual([{ message: { erasureId }, delaySeconds: 0 }]);
      else world.sentMessages();
      runs += 1;
    } while (outcome !== "succeeded" && runs < 100);

    expect(runs).toBeGreaterThan(3);
    await expectErased(person);
    expect(await world.erasures.get(erasureId, noon)).toMatchObject(person.erased);
  });

  it("works through more intents, traces and default codes than a page holds", async () => {
    const customerId = aPerson();
    const promocode = await world.aPromocode(longCodes(260), { allocationMethod: "Varying" });
    const codes = await inParallel(occasions(230), (occurenceId) =>
      world.allocate(promocode, customerId, { occurenceId, now: noon }),
    );
    const dry = await world.aPromocode([]);
    await inParallel(occasions(120), (occurenceId) =>
      world.allocate(dry, customerId, { occurenceId, now: noon }),
    );
    const intents = await world.intentsOf(promocode, customerId);
    expect(intents).toBeGreaterThan(200);
    const erasureId = await world.anErasure(customerId, anHourLater);

    await world.runAll(erasureId);

    expect(await world.itemsWith(customerId)).toEqual([]);
    expect((await world.holders(promocode)).erased.sort()).toEqual(codesOf(codes));
    expect(await world.erasures.get(erasureId, noon)).toMatchObject({
      codes: 230,
      intents,
      defaultCodes: 120,
    });
  });

  it("fails on the last try and says so; its message, sent again, goes on", async () => {
    const person = await aCustomerOfMany();
    const erasureId = await world.anErasure(person.customerId, anHourLater);
    const fault = dieAtWrite(world, 6, { after: false });

    expect(await world.deliver({ erasureId }, 5)).toBe(false);
    fault.stop();

    const { body } = await callApi<Erasure>(world.handlers.getErasure, "getErasure", { path: { erasureId } });
    expect(body).toMatchObject({ status: "failed", failure: { code: "erasure-failed" } });
    await world.runAll(erasureId);
    await expectErased(person);
    expect((await world.erasures.get(erasureId, noon)).failureMessage).toBeNull();
  });

  it("stops the run that was given up for dead", async () => {
    const person = await aCustomerOfMany();
    const erasureId = await world.anErasure(person.customerId, anHourLater);
    let goOn = () => {};
    const woken = new Promise<void>((resolve) => {
      goOn = resolve;
    });
    const held = holdAtWrite(world, 8, woken);

    const zombie = world.run(erasureId);
    await held.reached;
    held.stop();
    await world.runAll(erasureId);
    goOn();

    expect(await zombie).toBe("superseded");
    await expectErased(person);
    expect(await world.run(erasureId)).toBe("nothing to do");
    expect(await world.erasures.get(erasureId, noon)).toMatchObject(person.erased);
  });

  it("killed at any of its writes goes on where it was, and counts once", { timeout: 300_000 }, async () => {
    let fatal = 0;
    // Some of these persons have a code more than others, and so more writes.
    for (let unharmed = 0; unharmed < 3; ) {
      fatal += 1;
      await world.turnToEmptyTable();
      const person = await aCustomerOfMany();
      const erasureId = await world.anErasure(person.customerId, anHourLater);
      const fault = dieAtWrite(world, fatal, { after: true });
      const killed = await world.runAll(erasureId).then(
        () => false,
        (error: Error) => error.message === "killed",
      );
      fault.stop();
      expect(killed || fault.writes() < fatal).toBe(true);
      if (killed) await world.runAll(erasureId);
      else unharmed += 1;

      await expectErased(person);
      expect(await world.erasures.get(erasureId, noon), `killed at write ${fatal}`).toMatchObject(
        person.erased,
      );
    }
    expect(fatal).toBeGreaterThan(25);
  });
});

const writeNames = new Set(["PutItemCommand", "UpdateItemCommand", "DeleteItemCommand"]);

/**
 * The nth write fails before it is sent. `after`: it is carried out, but from then on this process is as good as dead,
 * so nothing of it is seen and nothing more is sent.
 */
const dieAtWrite = (
  { dynamoDb }: ErasureWorld,
  nth: number,
  { after }: { readonly after: boolean },
): { readonly writes: () => number; stop(): void } => {
  let writes = 0;
  dynamoDb.middlewareStack.add(
    (next, context) => async (args) => {
      if (!writeNames.has(String(context.commandName))) return next(args);
      writes += 1;
      if (writes < nth || (writes > nth && !after)) return next(args);
      if (writes === nth && after) await next(args);
      throw new Error("killed");
    },
    { step: "deserialize", name: "fault" },
  );
  return { writes: () => writes, stop: () => dynamoDb.middlewareStack.remove("fault") };
};

/** The nth write waits before it is sent. */
const holdAtWrite = (
  { dynamoDb }: ErasureWorld,
  nth: number,
  until: Promise<void>,
): { readonly reached: Promise<void>; stop(): void } => {
  let tell = () => {};
  const reached = new Promise<void>((resolve) => {
    tell = resolve;
  });
  let writes = 0;
  dynamoDb.middlewareStack.add(
    (next, context) => async (args) => {
      if (writeNames.has(String(context.commandName))) {
        writes += 1;
        if (writes === nth) {
          tell();
          await until;
        }
      }
      return next(args);
    },
    { step: "initialize", name: "held" },
  );
  return { reached, stop: () => dynamoDb.middlewareStack.remove("held") };
};
