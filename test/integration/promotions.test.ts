import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { DynamoDbEngine } from "../../local/dynamodb/engine.ts";
import type { Promotion } from "../../shared/contract/promotions.ts";
import type { RouteName } from "../../shared/contract/routes.ts";
import type { ApiHandler } from "../../shared/http/api-handler.ts";
import { type CallOptions, callApi, refusedApiCall } from "../support/api-call.ts";
import { engines } from "../support/engines.ts";
import { createTable } from "../support/table.ts";

interface Page {
  readonly items: readonly Promotion[];
  readonly nextCursor?: string;
}

describe.each(engines)("promotions on $name", ({ start }) => {
  let engine: DynamoDbEngine;
  let handlers: Record<string, ApiHandler>;
  beforeAll(async () => {
    engine = await start();
    await createTable(engine);
    handlers = {
      createPromotion: (await import("../../functions/create-promotion/handler.ts")).handler,
      listPromotions: (await import("../../functions/list-promotions/handler.ts")).handler,
      getPromotion: (await import("../../functions/get-promotion/handler.ts")).handler,
      updatePromotion: (await import("../../functions/update-promotion/handler.ts")).handler,
      activatePromotion: (await import("../../functions/activate-promotion/handler.ts")).handler,
      deactivatePromotion: (await import("../../functions/deactivate-promotion/handler.ts")).handler,
      archivePromotion: (await import("../../functions/archive-promotion/handler.ts")).handler,
      duplicatePromotion: (await import("../../functions/duplicate-promotion/handler.ts")).handler,
    };
  });
  afterAll(() => engine.close());

  const handlerOf = (name: RouteName): ApiHandler => {
    const handler = handlers[name];
    if (!handler) throw new Error(`no handler for ${name}`);
    return handler;
  };
  const call = <Body = Promotion>(name: RouteName, options?: CallOptions) =>
    callApi<Body>(handlerOf(name), name, options);
  const refusal = (name: RouteName, options?: CallOptions) => refusedApiCall(handlerOf(name), name, options);
  const aPromotion = async (body: object = {}): Promise<Promotion> =>
    (await call("createPromotion", { body: { name: "Autumn sale", ...body } })).body;
  const at = ({ promotionId }: { readonly promotionId: string }) => ({ path: { promotionId } });

  it("are created as drafts with an id of their own", async () => {
    const { status, headers, body } = await call("createPromotion", {
      body: { name: "Autumn sale", description: "Ten percent", metadata: { campaign: "autumn" } },
    });

    expect(status).toBe(201);
    expect(body).toEqual({
      promotionId: expect.stringMatching(/^prm_[0-9A-HJKMNP-TV-Z]{26}$/),
      name: "Autumn sale",
      description: "Ten percent",
      metadata: { campaign: "autumn" },
      status: "draft",
      createdAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      updatedAt: body.createdAt,
    });
    expect(headers.location).toBe(`/dev/v1/promotions/${body.promotionId}`);
    expect((await call("getPromotion", at(body))).body).toEqual(body);
  });

  it("may have the caller's id, once", async () => {
    const created = await aPromotion({ promotionId: "autumn-2026", status: "active" });

    const { status, body } = await refusal("createPromotion", {
      body: { name: "Another", promotionId: "autumn-2026" },
    });

    expect(created).toMatchObject({ promotionId: "autumn-2026", status: "active" });
    expect([status, body.code]).toEqual([409, "id-taken"]);
    expect((await call("getPromotion", at(created))).body.name).toBe("Autumn sale");
  });

  it("that do not exist are 404 on every path", async () => {
    const nowhere = { path: { promotionId: "nowhere" } };

    const refusals = await Promise.all([
      refusal("getPromotion", nowhere),
      refusal("updatePromotion", { ...nowhere, body: { name: "x" } }),
      refusal("activatePromotion", nowhere),
      refusal("deactivatePromotion", nowhere),
      refusal("archivePromotion", nowhere),
      refusal("duplicatePromotion", nowhere),
    ]);

    expect(refusals.map(({ body }) => body.code)).toEqual(Array(6).fill("promotion-not-found"));
    expect(refusals.map(({ status }) => status)).toEqual(Array(6).fill(404));
  });

  it("change only in the fields that are named", async () => {
    const before = await aPromotion({ description: "old", metadata: { a: "1", b: "2" } });

    const { body } = await call("updatePromotion", {
      ...at(before),
      body: { description: "new", metadata: { c: "3" } },
    });

    expect(body).toEqual({
      ...before,
      description: "new",
      metadata: { c: "3" },
      updatedAt: body.updatedAt,
    });
    expect(body.updatedAt >= before.updatedAt).toBe(true);
  });

  it.each([
    ["draft", "activatePromotion", "active"],
    ["active", "deactivatePromotion", "deactivated"],
    ["deactivated", "activatePromotion", "active"],
    ["draft", "deactivatePromotion", "deactivated"],
    ["draft", "archivePromotion", "archived"],
    ["active", "archivePromotion", "archived"],
    ["deactivated", "archivePromotion", "archived"],
  ] as const)("go from %s by %s to %s, and stay so when it is asked again", async (from, name, to) => {
    const promotion = await aPromotion({ status: from === "deactivated" ? "active" : from });
    if (from === "deactivated") await call("deactivatePromotion", at(promotion));

    const first = await call(name, at(promotion));
    const again = await call(name, at(promotion));

    expect([first.status, first.body.status]).toEqual([200, to]);
    expect(again).toMatchObject({ status: 200, body: first.body });
  });

  it("stay archived for good", async () => {
    const promotion = await aPromotion();
    await call("archivePromotion", at(promotion));

    const refusals = await Promise.all([
      refusal("activatePromotion", at(promotion)),
      refusal("deactivatePromotion", at(promotion)),
      refusal("updatePromotion", { ...at(promotion), body: { name: "x" } }),
    ]);

    expect(refusals.map(({ status, body }) => [status, body.code])).toEqual(
      Array(3).fill([409, "promotion-archived"]),
    );
    expect((await call("getPromotion", at(promotion))).body.status).toBe("archived");
  });

  it("end archived when archived and activated at the same time", async () => {
    const made = await Promise.all(Array.from({ length: 10 }, () => aPromotion()));

    await Promise.all(
      made.flatMap((promotion) =>
        [handlerOf("archivePromotion"), handlerOf("activatePromotion"), handlerOf("deactivatePromotion")].map(
          (handler, index) =>
            callApi(
              handler,
              (["archivePromotion", "activatePromotion", "deactivatePromotion"] as const)[index] ??
                "archivePromotion",
              at(promotion),
            ),
        ),
      ),
    );

    const after = await Promise.all(made.map((promotion) => call("getPromotion", at(promotion))));
    expect(after.map(({ body }) => body.status)).toEqual(Array(10).fill("archived"));
  });

  it("are copied into a new draft, even out of the archive", async () => {
    const original = await aPromotion({ description: "d", metadata: { a: "1" }, status: "active" });
    await call("archivePromotion", at(original));

    const { status, headers, body } = await call("duplicatePromotion", at(original));

    expect(status).toBe(201);
    expect(body).toMatchObject({
      name: original.name,
      description: "d",
      metadata: { a: "1" },
      status: "draft",
    });
    expect(body.promotionId).not.toBe(original.promotionId);
    expect(headers.location).toBe(`/dev/v1/promotions/${body.promotionId}`);
  });

  describe("in a list", () => {
    let ids: string[];
    beforeAll(async () => {
      await createTable(engine);
      const made = await Promise.all(
        Array.from({ length: 25 }, (_, index) =>
          aPromotion({
            promotionId: `p-${String(index).padStart(2, "0")}`,
            status: index % 5 ? "draft" : "active",
          }),
        ),
      );
      ids = made.map(({ promotionId }) => promotionId);
    });

    const pages = async (query: Record<string, string>): Promise<(readonly string[])[]> => {
      const all: string[][] = [];
      let cursor: string | undefined;
      do {
        const { body } = await call<Page>("listPromotions", {
          query: { ...query, ...(cursor && { cursor }) },
        });
        all.push(body.items.map(({ promotionId }) => promotionId));
        cursor = body.nextCursor;
      } while (cursor);
      return all;
    };

    it("come page by page in the order of their ids, each once", async () => {
      const found = await pages({ limit: "10" });

      expect(found.map((page) => page.length)).toEqual([10, 10, 5]);
      expect(found.flat()).toEqual(ids);
    });

    it("have no further page when the last one is just full", async () => {
      expect((await pages({ limit: "5" })).map((page) => page.length)).toEqual([5, 5, 5, 5, 5]);
    });

    it("fill each page with the status that is asked for", async () => {
      const found = await pages({ limit: "2", status: "active" });

      expect(found).toEqual([["p-00", "p-05"], ["p-10", "p-15"], ["p-20"]]);
    });

    it("are an empty page when none has the status", async () => {
      const { status, body } = await call<Page>("listPromotions", { query: { status: "archived" } });

      expect([status, body]).toEqual([200, { items: [] }]);
    });

    it("refuse a cursor of another filter, a changed one and nonsense", async () => {
      const { body } = await call<Page>("listPromotions", { query: { limit: "1" } });
      const cursor = body.nextCursor ?? "";
      const changed = `${cursor.startsWith("A") ? "B" : "A"}${cursor.slice(1)}`;

      const refusals = await Promise.all(
        [
          { cursor, status: "active" },
          { cursor: changed },
          { cursor: `${cursor}=` },
          { cursor: "nonsense" },
          { cursor: "" },
        ].map((query) => refusal("listPromotions", { query })),
      );

      expect(refusals.map(({ status, body }) => [status, body.code])).toEqual(
        Array(5).fill([400, "invalid-cursor"]),
      );
    });

    it.each(["0", "201", "1.5", "x", "-1"])("refuse limit=%s", async (limit) => {
      const { status, body } = await refusal("listPromotions", { query: { limit } });

      expect([status, body.code, body.errors?.[0]?.pointer]).toEqual([400, "invalid-request", "limit"]);
    });
  });
});
