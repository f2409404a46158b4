import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import type { DynamoDbEngine } from "../../local/dynamodb/engine.ts";
import type { Promotion } from "../../shared/contract/promotions.ts";
import { routes } from "../../shared/contract/routes.ts";
import type { ApiHandler } from "../../shared/http/api-handler.ts";
import { type CallOptions, callApi } from "../support/api-call.ts";
import { engines } from "../support/engines.ts";
import { createTable } from "../support/table.ts";

describe.each(engines)("an Idempotency-Key on $name", ({ start }) => {
  let engine: DynamoDbEngine;
  let create: ApiHandler;
  let archive: ApiHandler;
  let list: ApiHandler;
  let apiHandler: typeof import("../../shared/http/api-handler.ts").apiHandler;
  let promotions: typeof import("../../shared/storage/promotions.ts").promotions;
  let records: typeof import("../../shared/storage/idempotency.ts");
  let failures: typeof import("../../shared/domain/failures.ts");
  beforeAll(async () => {
    engine = await start();
    await createTable(engine);
    create = (await import("../../functions/create-promotion/handler.ts")).handler;
    list = (await import("../../functions/list-promotions/handler.ts")).handler;
    archive = (await import("../../functions/archive-promotion/handler.ts")).handler;
    ({ apiHandler } = await import("../../shared/http/api-handler.ts"));
    ({ promotions } = await import("../../shared/storage/promotions.ts"));
    records = await import("../../shared/storage/idempotency.ts");
    failures = await import("../../shared/domain/failures.ts");
  });
  afterAll(() => engine.close());

  let keysMade = 0;
  const aKey = () => `key-${++keysMade}`;
  const post = <Body = Promotion>(key: string, body: object, more: CallOptions = {}, handler = create) =>
    callApi<Body>(handler, "createPromotion", { body, headers: { "Idempotency-Key": key }, ...more });
  const problem = (key: string, body: object, more: CallOptions = {}, handler = create) =>
    post<{ code: string }>(key, body, more, handler);
  const numberOfPromotions = async (): Promise<number> =>
    (await callApi<{ items: unknown[] }>(list, "listPromotions", { query: { limit: "200" } })).body.items
      .length;

  it("gets the same answer again, and nothing happens twice", async () => {
    const key = aKey();
    const before = await numberOfPromotions();

    const first = await post(key, { name: "Once", metadata: { a: "1", b: "2" } });
    await callApi(archive, "archivePromotion", { path: { promotionId: first.body.promotionId } });
    const again = await post(key, { metadata: { b: "2", a: "1" }, name: "Once", status: "draft" });

    expect(again.status).toBe(201);
    expect(again.body).toEqual(first.body);
    expect(again.headers.location).toBe(first.headers.location);
    expect(first.headers["idempotent-replayed"]).toBeUndefined();
    expect(again.headers["idempotent-replayed"]).toBe("true");
    expect(await numberOfPromotions()).toBe(before + 1);
  });

  it("is refused with another body", async () => {
    const key = aKey();
    await post(key, { name: "One" });

    const { status, body } = await problem(key, { name: "Another" });

    expect([status, body.code]).toEqual([422, "idempotency-key-reused"]);
  });

  it("of another API key is another one", async () => {
    const key = aKey();
    const first = await post(key, { name: "One" });

    const other = await post(key, { name: "One" }, { keyId: "key_01KB0000000000000000000000" });

    expect(other.body.promotionId).not.toBe(first.body.promotionId);
    expect(other.headers["idempotent-replayed"]).toBeUndefined();
  });

  it("of a refused request is free again", async () => {
    const key = aKey();
    await post(aKey(), { name: "First", promotionId: `taken-${key}` });

    const refused = await problem(key, { name: "Second", promotionId: `taken-${key}` });
    const corrected = await post(key, { name: "Second", promotionId: `free-${key}` });

    expect([refused.status, refused.body.code]).toEqual([409, "id-taken"]);
    expect(corrected.status).toBe(201);
  });

  it("of an invalid request is not taken at all", async () => {
    const key = aKey();

    const invalid = await problem(key, { name: "" });
    const corrected = await post(key, { name: "Valid" });

    expect([invalid.status, corrected.status]).toEqual([400, 201]);
  });

  it("creates one thing when many send it at the same time", async () => {
    const key = aKey();
    const before = await numberOfPromotions();

    const answers = await Promise.all(Array.from({ length: 8 }, () => problem(key, { name: "Race" })));

    const others = answers.filter(({ status }) => status !== 201);
    expect(answers.some(({ status }) => status === 201)).toBe(true);
    expect(others.every(({ status, body }) => status === 409 && body.code === "request-in-progress")).toBe(
      true,
    );
    expect(others.every(({ headers }) => headers["retry-after"] === "1")).toBe(true);
    expect(await numberOfPromotions()).toBe(before + 1);
  });

  /** Creates the promotion and then fails as it is told, once. */
  const failingOnce = (fail: () => never): ApiHandler => {
    let failed = false;
    return apiHandler(routes.createPromotion, async ({ body, freshUlid, now }) => {
      const times = { createdAt: now.toISOString(), updatedAt: now.toISOString() };
      const promotion = await promotions.create(
        { ...body, promotionId: `prm_${freshUlid}`, ...times },
        freshUlid,
      );
      if (!failed) {
        failed = true;
        fail();
      }
      return { status: 201, body: promotion };
    });
  };

  it("of a request that failed half-way goes on at once, and finds what was created", async () => {
    const key = aKey();
    const before = await numberOfPromotions();
    const handler = failingOnce(() => {
      throw new Error("the answer could not be made");
    });

    const failed = await problem(key, { name: "Half" }, {}, handler);
    const retried = await post(key, { name: "Half" }, {}, handler);

    expect([failed.status, failed.body.code]).toEqual([500, "internal-error"]);
    expect(retried.status).toBe(201);
    expect(await numberOfPromotions()).toBe(before + 1);
  });

  describe("as a record", () => {
    const t0 = new Date("2026-11-23T09:00:00.000Z");
    const later = (seconds: number) => new Date(t0.getTime() + seconds * 1000);
    const attempt = (digest: string, name: string, now: Date, requestHash = "hash") => ({
      digest,
      attempt: name,
      requestHash,
      freshUlid: `ulid-of-${name}`,
      now,
    });

    it("belongs to one try until its lease ends, and then goes to the next with the first one's ULID", async () => {
      const digest = aKey();

      expect(await records.begin(attempt(digest, "one", t0))).toEqual({
        outcome: "begun",
        freshUlid: "ulid-of-one",
      });
      expect(await records.begin(attempt(digest, "two", later(29)))).toEqual({ outcome: "in-progress" });
      expect(await records.begin(attempt(digest, "three", later(31)))).toEqual({
        outcome: "begun",
        freshUlid: "ulid-of-one",
      });
      expect(await records.begin(attempt(digest, "four", later(40)))).toEqual({ outcome: "in-progress" });
    });

    it("is taken over by one of many", async () => {
      const digest = aKey();
      await records.begin(attempt(digest, "crashed", t0));

      const outcomes = await Promise.all(
        Array.from({ length: 8 }, (_, index) => records.begin(attempt(digest, `next-${index}`, later(31)))),
      );

      expect(outcomes.filter(({ outcome }) => outcome === "begun")).toHaveLength(1);
      expect(outcomes.filter(({ outcome }) => outcome === "in-progress")).toHaveLength(7);
    });

    it("is not changed by a try that it was taken from", async () => {
      const digest = aKey();
      await records.begin(attempt(digest, "slow", t0));
      await records.begin(attempt(digest, "next", later(31)));

      await records.complete({ digest, attempt: "slow" }, { status: 201, json: '"slow"' });
      await records.release({ digest, attempt: "slow" });
      await records.abandon({ digest, attempt: "slow" });
      expect(await records.begin(attempt(digest, "third", later(32)))).toEqual({ outcome: "in-progress" });

      await records.complete({ digest, attempt: "next" }, { status: 201, json: '"next"' });
      expect(await records.begin(attempt(digest, "fourth", later(33)))).toEqual({
        outcome: "kept",
        answer: { status: 201, json: '"next"' },
      });
    });

    it("is forgotten after 24 hours although DynamoDB has not removed it yet", async () => {
      const digest = aKey();
      await records.begin(attempt(digest, "one", t0));
      await records.complete({ digest, attempt: "one" }, { status: 201, json: "{}" });

      expect(await records.begin(attempt(digest, "late", later(86_399), "other"))).toEqual({
        outcome: "reused",
      });
      expect(await records.begin(attempt(digest, "later", later(86_400), "other"))).toEqual({
        outcome: "begun",
        freshUlid: "ulid-of-later",
      });
    });

    it("knows its own Put when the SDK sends it twice", async () => {
      const digest = aKey();

      await records.begin(attempt(digest, "one", t0));

      expect(await records.begin(attempt(digest, "one", t0))).toMatchObject({ outcome: "begun" });
    });
  });

  it("stays with a function that ran out of time, because that may go on", async () => {
    const key = aKey();
    const timeout = Object.assign(new Error("out of time"), { name: "TimeoutError" });
    const handler = failingOnce(() => {
      throw timeout;
    });

    const failed = await problem(key, { name: "Slow" }, {}, handler);
    const retried = await problem(key, { name: "Slow" }, {}, handler);

    expect([failed.status, failed.body.code]).toEqual([503, "unavailable"]);
    expect([retried.status, retried.body.code]).toEqual([409, "request-in-progress"]);
    expect(failures.requestInProgress().message).toBe((retried.body as unknown as { detail: string }).detail);
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 31_000 });
    expect((await post(key, { name: "Slow" }, {}, handler)).status).toBe(201);
    vi.useRealTimers();
  });
});
