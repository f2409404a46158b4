import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import type { DynamoDbEngine } from "../../local/dynamodb/engine.ts";
import { type AuditAction, type AuditEntry, listAuditEntriesQuery } from "../../shared/contract/audit.ts";
import type { Problem } from "../../shared/contract/problems.ts";
import type { Promotion } from "../../shared/contract/promotions.ts";
import { type RouteName, routes } from "../../shared/contract/routes.ts";
import type { ApiHandler } from "../../shared/http/api-handler.ts";
import { type CallOptions, callApi } from "../support/api-call.ts";
import { engines } from "../support/engines.ts";
import { createTable } from "../support/table.ts";

type Page = { readonly items: readonly AuditEntry[]; readonly nextCursor?: string };

describe.each(engines)("the audit trail on $name", ({ start }) => {
  let engine: DynamoDbEngine;
  let handlers: Partial<Record<RouteName, ApiHandler>>;
  let trail: typeof import("../../shared/storage/audit-trail.ts");
  let client: typeof import("../../shared/storage/client.ts");
  let auditPage: typeof import("../../shared/storage/audit-page.ts").auditPage;
  let apiHandler: typeof import("../../shared/http/api-handler.ts").apiHandler;
  beforeAll(async () => {
    engine = await start();
    await createTable(engine);
    trail = await import("../../shared/storage/audit-trail.ts");
    client = await import("../../shared/storage/client.ts");
    ({ auditPage } = await import("../../shared/storage/audit-page.ts"));
    ({ apiHandler } = await import("../../shared/http/api-handler.ts"));
    handlers = {
      createPromotion: (await import("../../functions/create-promotion/handler.ts")).handler,
      updatePromotion: (await import("../../functions/update-promotion/handler.ts")).handler,
      activatePromotion: (await import("../../functions/activate-promotion/handler.ts")).handler,
      archivePromotion: (await import("../../functions/archive-promotion/handler.ts")).handler,
      getPromotion: (await import("../../functions/get-promotion/handler.ts")).handler,
      createPromocode: (await import("../../functions/create-promocode/handler.ts")).handler,
      listAuditEntries: (await import("../../functions/list-audit-entries/handler.ts")).handler,
    };
  });
  afterAll(() => engine.close());
  afterEach(() => vi.restoreAllMocks());

  const call = <Body = Promotion>(name: RouteName, options: CallOptions = {}) => {
    const handler = handlers[name];
    if (!handler) throw new Error(`no handler for ${name}`);
    return callApi<Body>(handler, name, options);
  };
  const list = async (query: Record<string, string> = {}) =>
    (await call<Page>("listAuditEntries", { query })).body;
  /** As asked at another time. The clock itself stays: ExtendDB checks signatures. */
  const listAt = (now: Date, query: Record<string, string>): Promise<Page> =>
    auditPage(listAuditEntriesQuery.parse(query), now);
  const newest = async () => (await list({ limit: "1" })).items[0];
  const aPromotion = async (more: CallOptions = {}) =>
    (await call("createPromotion", { body: { name: "Autumn sale" }, ...more })).body;

  describe("of calls", () => {
    it("says who changed what, when, in which request, and how it ended", async () => {
      const before = new Date().toISOString();

      const { promotionId } = await aPromotion({ keyId: "key_ada", requestId: "request-1" });

      const entry = await newest();
      expect(entry).toEqual({
        auditId: expect.stringMatching(/^adt_[0-9A-HJKMNP-TV-Z]{26}$/),
        at: expect.any(String),
        action: "promotion.create",
        keyId: "key_ada",
        operator: null,
        targets: { promotionId },
        requestId: "request-1",
        outcome: "done",
        status: 201,
        code: null,
        fields: { name: "Autumn sale", status: "draft" },
      });
      const inOrder = [before, entry?.at, new Date().toISOString()];
      expect(inOrder).toEqual(inOrder.toSorted());
    });

    it("says what was refused, and why", async () => {
      const { promotionId } = await aPromotion();
      await call("archivePromotion", { path: { promotionId } });

      await call("activatePromotion", { path: { promotionId } });

      expect(await newest()).toMatchObject({
        action: "promotion.activate",
        targets: { promotionId },
        outcome: "refused",
        status: 409,
        code: "promotion-archived",
        fields: {},
      });
    });

    it("names the things that were there before and the one that was made", async () => {
      const { promotionId } = await aPromotion();

      const { body } = await call<{ promocodeId: string }>("createPromocode", {
        body: { promotionId, type: "global", code: `SALE-${promotionId}` },
      });

      expect(await newest()).toMatchObject({
        targets: { promotionId, promocodeId: body.promocodeId },
        fields: { type: "global", code: `SALE-${promotionId}` },
      });
    });

    it("holds nothing of calls that change nothing: reads, nonsense, keys without the scope, answers given again", async () => {
      const headers = { "Idempotency-Key": "only-once" };
      const { promotionId } = await aPromotion({ headers });
      const entry = await newest();

      await call("getPromotion", { path: { promotionId } });
      await call("updatePromotion", { path: { promotionId }, body: { nmae: "x" } });
      await call("archivePromotion", { path: { promotionId }, scopes: "read allocate" });
      const again = await aPromotion({ headers });

      expect(again.promotionId).toBe(promotionId);
      expect(await newest()).toEqual(entry);
    });

    it("keeps a failure of the service apart from a refusal", async () => {
      const failing = apiHandler(routes.createPromotion, () => {
        throw new Error("the disk is on fire");
      });

      const { status } = await callApi(failing, "createPromotion", { body: { name: "x" } });

      expect(status).toBe(500);
      expect(await newest()).toMatchObject({ outcome: "failed", status: 500, code: "internal-error" });
      expect(JSON.stringify(await newest())).not.toContain("fire");
    });

    it("leaves an entry begun when nobody knows how the change ended", async () => {
      const timingOut = apiHandler(routes.createPromotion, () => {
        throw Object.assign(new Error("aborted"), { name: "TimeoutError" });
      });

      await callApi(timingOut, "createPromotion", { body: { name: "x" } });

      expect(await newest()).toMatchObject({ outcome: "begun", status: null, code: null });
    });

    it("has the entry before the change is made", async () => {
      let during: AuditEntry | undefined;
      const looking = apiHandler(routes.activatePromotion, async () => {
        during = await newest();
        throw new Error("crash");
      });

      await callApi(looking, "activatePromotion", { path: { promotionId: "prm_1" } });

      expect(during).toMatchObject({
        action: "promotion.activate",
        outcome: "begun",
        targets: { promotionId: "prm_1" },
      });
    });

    it("refuses a change that cannot be put on record, and does nothing of it", async () => {
      const { promotionId } = await aPromotion();
      const done = vi.fn();
      const changing = apiHandler(routes.activatePromotion, () => {
        done();
        throw new Error("it was done all the same");
      });
      const busy = Object.assign(new Error("slow down"), { name: "ThrottlingException" });
      vi.spyOn(client.dynamoDb, "send").mockRejectedValue(busy as never);

      const answer = await callApi<Problem>(changing, "activatePromotion", { path: { promotionId } });

      expect([answer.status, answer.body.code]).toEqual([503, "unavailable"]);
      expect(done).not.toHaveBeenCalled();
    });

    it("does not turn a change that was made into a failure when its end cannot be put on record", async () => {
      const send = client.dynamoDb.send.bind(client.dynamoDb);
      const { promotionId } = await aPromotion();
      vi.spyOn(client.dynamoDb, "send").mockImplementation(((command: {
        input: { UpdateExpression?: string };
      }) =>
        command.input.UpdateExpression?.includes("#outcome")
          ? Promise.reject(new Error("gone"))
          : send(command as never)) as never);

      const { status, body } = await call("activatePromotion", { path: { promotionId } });

      vi.restoreAllMocks();
      expect([status, body.status]).toEqual([200, "active"]);
      expect(await newest()).toMatchObject({ action: "promotion.activate", outcome: "begun" });
    });

    it("cannot be set back to begun by a write that arrives late", async () => {
      const now = new Date("2026-12-24T12:00:00.000Z");
      const beginning = {
        action: "promotion.create",
        keyId: "key_1",
        requestId: "r",
        targets: {},
        fields: {},
      } as const;
      const sent: unknown[] = [];
      const send = client.dynamoDb.send.bind(client.dynamoDb);
      vi.spyOn(client.dynamoDb, "send").mockImplementation(((command: unknown) => {
        sent.push(command);
        return send(command as never);
      }) as never);

      const auditId = await trail.beginAudit(beginning, now);
      await trail.endAudit(auditId, { outcome: "done", targets: {}, status: 201 });
      await expect(send(sent[0] as never)).rejects.toThrow("conditional");

      expect((await list({ from: now.toISOString(), to: "2026-12-24T12:00:00.001Z" })).items).toEqual([]);
      expect((await listAt(now, { limit: "1" })).items).toMatchObject([{ auditId, outcome: "done" }]);
    });
  });

  describe("as a list", () => {
    /** Entries of 2027 and 2028, one every ten days, by two keys. */
    const times = Array.from({ length: 60 }, (_, at) => new Date(Date.UTC(2027, 0, 1 + at * 10)));
    const actions: readonly AuditAction[] = ["promotion.create", "promotion.update", "export.request"];
    beforeAll(async () => {
      await createTable(engine);
      for (const [at, time] of times.entries()) {
        const action = actions[at % 3] ?? "promotion.create";
        const targets = at % 5 === 0 ? { promotionId: "prm_five", promocodeId: `pcd_${at}` } : {};
        const caller = { keyId: `key_${at % 2}`, requestId: `request-${at}` };
        const auditId = await trail.beginAudit({ action, targets, fields: { at }, ...caller }, time);
        await trail.endAudit(auditId, { outcome: "done", status: 200, targets });
      }
    });
    const later = new Date("2028-09-01T00:00:00.000Z");
    const numbers = (page: Page) => page.items.map(({ fields }) => fields.at);
    const allOf = async (query: Record<string, string>, now = later) => {
      const found: unknown[] = [];
      let cursor: string | undefined;
      let pages = 0;
      do {
        const page = await listAt(now, { ...query, ...(cursor && { cursor }) });
        found.push(...numbers(page));
        cursor = page.nextCursor;
        pages += 1;
      } while (cursor);
      return { found, pages };
    };
    const countdown = (keep: (at: number) => boolean) =>
      times
        .map((_, at) => at)
        .filter(keep)
        .reverse();

    it("has the newest first, page by page, over all months", async () => {
      expect((await allOf({ limit: "7" })).found).toEqual(countdown(() => true));
      expect(numbers(await listAt(later, { limit: "60" }))).toEqual(countdown(() => true));
      expect((await listAt(later, { limit: "200" })).nextCursor).toBeUndefined();
    });

    it("ends, with a cursor in between, however many empty months there are", async () => {
      const { found, pages } = await allOf({}, new Date("2040-01-01T00:00:00.000Z"));

      expect(found).toEqual(countdown(() => true));
      expect(pages).toBeGreaterThan(5);
    });

    it.each([
      [{ keyId: "key_1" }, (at: number) => at % 2 === 1],
      [{ action: "export.request" }, (at: number) => at % 3 === 2],
      [{ targetId: "prm_five" }, (at: number) => at % 5 === 0],
      [{ targetId: "pcd_25" }, (at: number) => at === 25],
      [{ targetId: "prm_five", keyId: "key_0", action: "promotion.create" }, (at: number) => at % 30 === 0],
      [{ keyId: "key_none" }, () => false],
    ])("holds those of %j", async (query: Record<string, string>, keep) => {
      expect((await allOf({ ...query, limit: "3" })).found).toEqual(countdown(keep));
    });

    it("begins with `from` and ends before `to`", async () => {
      const [from, to] = [times[10]?.toISOString() ?? "", times[40]?.toISOString() ?? ""];

      expect((await allOf({ from, to, limit: "7" })).found).toEqual(countdown((at) => at >= 10 && at < 40));
      expect((await allOf({ from: to })).found).toEqual(countdown((at) => at >= 40));
      expect((await allOf({ to: from })).found).toEqual(countdown((at) => at < 10));
      expect((await allOf({ from: "2030-01-01T00:00:00Z", to: "9999-12-31T23:59:59Z" })).found).toEqual([]);
    });

    it("refuses a cursor of other filters, a span that ends before it begins, and what is no filter", async () => {
      const { nextCursor = "" } = await listAt(later, { limit: "1", keyId: "key_1" });
      const refused = async (query: Record<string, string>) =>
        (await call<Problem>("listAuditEntries", { query })).body.code;

      expect(await refused({ limit: "1", keyId: "key_0", cursor: nextCursor })).toBe("invalid-cursor");
      expect(await refused({ from: "2027-02-01T00:00:00Z", to: "2027-01-01T00:00:00Z" })).toBe(
        "invalid-request",
      );
      expect(await refused({ action: "promotion.explode" })).toBe("invalid-request");
      expect(await refused({ customerId: "ada" })).toBe("invalid-request");
    });

    it("is shown to admins alone", async () => {
      const { status } = await call("listAuditEntries", { scopes: "read allocate" });

      expect(status).toBe(403);
    });
  });
});
