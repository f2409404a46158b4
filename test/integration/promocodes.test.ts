import { TransactionCanceledException } from "@aws-sdk/client-dynamodb";
import { TransactWriteCommand } from "@aws-sdk/lib-dynamodb";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import type { DynamoDbEngine } from "../../local/dynamodb/engine.ts";
import type { Promocode } from "../../shared/contract/promocodes.ts";
import type { RouteName } from "../../shared/contract/routes.ts";
import type { ApiHandler } from "../../shared/http/api-handler.ts";
import { type CallOptions, callApi, refusedApiCall } from "../support/api-call.ts";
import { engines } from "../support/engines.ts";
import { createTable } from "../support/table.ts";

interface Page {
  readonly items: readonly Promocode[];
  readonly nextCursor?: string;
}

describe.each(engines)("promocodes on $name", ({ start }) => {
  let engine: DynamoDbEngine;
  let handlers: Partial<Record<RouteName, ApiHandler>>;
  let storage: typeof import("../../shared/storage/promocodes.ts");
  let client: typeof import("../../shared/storage/client.ts");
  beforeAll(async () => {
    engine = await start();
    await createTable(engine);
    storage = await import("../../shared/storage/promocodes.ts");
    client = await import("../../shared/storage/client.ts");
    handlers = {
      createPromotion: (await import("../../functions/create-promotion/handler.ts")).handler,
      archivePromotion: (await import("../../functions/archive-promotion/handler.ts")).handler,
      deactivatePromotion: (await import("../../functions/deactivate-promotion/handler.ts")).handler,
      createPromocode: (await import("../../functions/create-promocode/handler.ts")).handler,
      listPromocodes: (await import("../../functions/list-promocodes/handler.ts")).handler,
      getPromocode: (await import("../../functions/get-promocode/handler.ts")).handler,
      updatePromocode: (await import("../../functions/update-promocode/handler.ts")).handler,
    };
  });
  afterAll(() => engine.close());

  const handlerOf = (name: RouteName): ApiHandler => {
    const handler = handlers[name];
    if (!handler) throw new Error(`no handler for ${name}`);
    return handler;
  };
  const call = <Body = Promocode>(name: RouteName, options?: CallOptions) =>
    callApi<Body>(handlerOf(name), name, options);
  const refusal = (name: RouteName, options?: CallOptions) => refusedApiCall(handlerOf(name), name, options);
  const aPromotion = async (): Promise<string> =>
    (
      await call<{ promotionId: string }>("createPromotion", {
        body: { name: "Autumn sale", status: "active" },
      })
    ).body.promotionId;
  const aGlobalCode = async (promotionId: string, code: string, more: object = {}): Promise<Promocode> =>
    (await call("createPromocode", { body: { promotionId, type: "global", code, ...more } })).body;
  const aPool = async (promotionId: string, more: object = {}): Promise<Promocode> =>
    (await call("createPromocode", { body: { promotionId, type: "personalized", ...more } })).body;
  const at = ({ promocodeId }: { readonly promocodeId: string }) => ({ path: { promocodeId } });
  const codes = (refusals: readonly { status: number; body: { code: string } }[]) =>
    refusals.map(({ status, body }) => [status, body.code]);

  it("are created global, with a code for everyone", async () => {
    const promotionId = await aPromotion();

    const { status, headers, body } = await call("createPromocode", {
      body: { promotionId, type: "global", code: "TAKE-10" },
    });

    expect(status).toBe(201);
    expect(body).toEqual({
      promocodeId: expect.stringMatching(/^pcd_[0-9A-HJKMNP-TV-Z]{26}$/),
      promotionId,
      type: "global",
      code: "TAKE-10",
      createdAt: expect.any(String),
      updatedAt: body.createdAt,
    });
    expect(headers.location).toBe(`/dev/v1/promocodes/${body.promocodeId}`);
    expect((await call("getPromocode", at(body))).body).toEqual(body);
  });

  it("are created personalized, with defaults and an empty pool", async () => {
    const promocode = await aPool(await aPromotion());

    expect(promocode.uniqueCodes).toEqual({
      allocationMethod: "Consistent",
      defaultCode: expect.stringMatching(/^[2-9B-DF-HJKMNP-TV-XZ]{8}$/),
      onExhausted: "default",
    });
    expect(promocode.pool).toMatchObject({ total: 0, allocated: 0, available: 0, defaultsGiven: 0 });
    expect(promocode.code).toBeUndefined();
  });

  it("keep every setting that is given", async () => {
    const uniqueCodes = {
      allocationMethod: "Varying",
      defaultCode: "SORRY",
      onExhausted: "refuse",
      lowPoolThreshold: 7,
      lowPoolPercent: 10,
    };

    const promocode = await aPool(await aPromotion(), { promocodeId: "mine", uniqueCodes });

    expect(promocode).toMatchObject({ promocodeId: "mine", uniqueCodes });
  });

  it("need a promotion that exists and is not archived", async () => {
    const archived = await aPromotion();
    await call("archivePromotion", { path: { promotionId: archived } });

    const refusals = await Promise.all([
      refusal("createPromocode", { body: { promotionId: "nowhere", type: "personalized" } }),
      refusal("createPromocode", { body: { promotionId: archived, type: "personalized" } }),
    ]);

    expect(codes(refusals)).toEqual([
      [404, "promotion-not-found"],
      [409, "promotion-archived"],
    ]);
  });

  it("refuse an id that is taken and a code that is taken, in any case, and store nothing then", async () => {
    const promotionId = await aPromotion();
    await aGlobalCode(promotionId, "Größe-1", { promocodeId: "first" });

    const refusals = await Promise.all([
      refusal("createPromocode", {
        body: { promotionId, type: "global", code: "OTHER-1", promocodeId: "first" },
      }),
      refusal("createPromocode", {
        body: { promotionId, type: "global", code: "gRÖSSE-1".replace("SS", "ß") },
      }),
    ]);

    expect(codes(refusals)).toEqual([
      [409, "id-taken"],
      [409, "code-taken"],
    ]);
    expect((await call<Page>("listPromocodes", { query: { promotionId } })).body.items).toHaveLength(1);
    expect((await call<Page>("listPromocodes", { query: { code: "OTHER-1" } })).body.items).toEqual([]);
  });

  it("give a code to one of many who ask for it at the same time", async () => {
    const promotionId = await aPromotion();

    const answers = await Promise.all(
      Array.from({ length: 10 }, () =>
        call<{ code: string }>("createPromocode", { body: { promotionId, type: "global", code: "RACE" } }),
      ),
    );

    expect(answers.filter(({ status }) => status === 201)).toHaveLength(1);
    expect(answers.filter(({ body }) => body.code === "code-taken")).toHaveLength(9);
  });

  it.each([
    [{ type: "global" }, "/code"],
    [{ type: "personalized", code: "X" }, "/code"],
    [{ type: "global", code: "X", uniqueCodes: {} }, "/uniqueCodes"],
    [{ type: "other" }, "/type"],
    [{ type: "global", code: " X" }, "/code"],
    [{ type: "global", code: "x".repeat(65) }, "/code"],
    [
      { type: "personalized", uniqueCodes: { allocationMethod: "consistent" } },
      "/uniqueCodes/allocationMethod",
    ],
    [{ type: "personalized", uniqueCodes: { lowPoolThreshold: -1 } }, "/uniqueCodes/lowPoolThreshold"],
    [{ type: "personalized", uniqueCodes: { lowPoolPercent: 101 } }, "/uniqueCodes/lowPoolPercent"],
  ])("refuse %j and say where it is wrong", async (body, pointer) => {
    const promotionId = await aPromotion();

    const { status, body: problem } = await refusal("createPromocode", { body: { promotionId, ...body } });

    expect([status, problem.code]).toEqual([400, "invalid-request"]);
    expect(problem.errors?.map((error) => error.pointer)).toEqual([pointer]);
  });

  it("change only in the settings that are named", async () => {
    const before = await aPool(await aPromotion(), {
      uniqueCodes: { defaultCode: "OLD", lowPoolThreshold: 5, lowPoolPercent: 3 },
    });

    const { status, body } = await call("updatePromocode", {
      ...at(before),
      body: { uniqueCodes: { allocationMethod: "Varying", onExhausted: "refuse" } },
    });

    expect(status).toBe(200);
    expect(body.uniqueCodes).toEqual({
      allocationMethod: "Varying",
      defaultCode: "OLD",
      onExhausted: "refuse",
      lowPoolThreshold: 5,
      lowPoolPercent: 3,
    });
    expect(body.pool).toBeDefined();
  });

  it("keep both of two changes made at the same time", async () => {
    const promocode = await aPool(await aPromotion());

    await Promise.all([
      call("updatePromocode", { ...at(promocode), body: { uniqueCodes: { defaultCode: "NEW" } } }),
      call("updatePromocode", { ...at(promocode), body: { uniqueCodes: { onExhausted: "refuse" } } }),
    ]);

    const { body } = await call("getPromocode", at(promocode));
    expect(body.uniqueCodes).toMatchObject({ defaultCode: "NEW", onExhausted: "refuse" });
  });

  it("refuse settings for a global code and for one that does not exist", async () => {
    const global = await aGlobalCode(await aPromotion(), "SHARED-9");
    const body = { uniqueCodes: { defaultCode: "X" } };

    const refusals = await Promise.all([
      refusal("updatePromocode", { ...at(global), body }),
      refusal("updatePromocode", { path: { promocodeId: "nowhere" }, body }),
      refusal("getPromocode", { path: { promocodeId: "nowhere" } }),
    ]);

    expect(codes(refusals)).toEqual([
      [409, "not-personalized"],
      [404, "promocode-not-found"],
      [404, "promocode-not-found"],
    ]);
  });

  it("are listed by promotion, by code and by both", async () => {
    const [one, other] = [await aPromotion(), await aPromotion()];
    const global = await aGlobalCode(one, "List-Me");
    const pool = await aPool(one);
    const elsewhere = await aPool(other);
    const idsOf = async (query: Record<string, string>) =>
      (await call<Page>("listPromocodes", { query })).body.items.map(({ promocodeId }) => promocodeId);

    expect(await idsOf({ promotionId: one })).toEqual([global.promocodeId, pool.promocodeId].sort());
    expect(await idsOf({ promotionId: other })).toEqual([elsewhere.promocodeId]);
    expect(await idsOf({ code: "LIST-ME" })).toEqual([global.promocodeId]);
    expect(await idsOf({ code: "list-me", promotionId: one })).toEqual([global.promocodeId]);
    expect(await idsOf({ code: "list-me", promotionId: other })).toEqual([]);
    expect(await idsOf({ promotionId: "nowhere" })).toEqual([]);
  });

  it("are listed page by page, more than one BatchGetItem takes", async () => {
    const promotionId = await aPromotion();
    const made = await Promise.all(
      Array.from({ length: 130 }, (_, index) => aGlobalCode(promotionId, `page-${index}`)),
    );

    const first = await call<Page>("listPromocodes", { query: { promotionId, limit: "120" } });
    const second = await call<Page>("listPromocodes", {
      query: { promotionId, limit: "120", cursor: first.body.nextCursor ?? "" },
    });

    const listed = [...first.body.items, ...second.body.items].map(({ promocodeId }) => promocodeId);
    expect(listed).toEqual(made.map(({ promocodeId }) => promocodeId).sort());
    expect(second.body.nextCursor).toBeUndefined();
    const foreign = await Promise.all([
      refusal("listPromocodes", { query: { cursor: first.body.nextCursor ?? "" } }),
      refusal("listPromocodes", {
        query: { code: "page-1", promotionId, cursor: first.body.nextCursor ?? "" },
      }),
    ]);
    expect(codes(foreign)).toEqual(Array(2).fill([400, "invalid-cursor"]));
  });

  it("come with their promotion as it is now", async () => {
    const promotionId = await aPromotion();
    const { promocodeId } = await aPool(promotionId);

    const first = await storage.promocodeWithPromotion(promocodeId);
    await call("deactivatePromotion", { path: { promotionId } });
    const send = vi.spyOn(client.plainDynamoDb, "send");
    const others = vi.spyOn(client.dynamoDb, "send");
    const second = await storage.promocodeWithPromotion(promocodeId);

    expect([first.promotion.status, second.promotion.status]).toEqual(["active", "deactivated"]);
    expect(second.promocode).toEqual(first.promocode);
    expect(second.promocode).toMatchObject({
      salt: expect.stringMatching(/^[0-9a-f]{16}$/),
      lastGeneration: 0,
    });
    expect(send).toHaveBeenCalledOnce();
    expect(others).not.toHaveBeenCalled();
    send.mockRestore();
    others.mockRestore();
    await expect(storage.promocodeWithPromotion("nowhere")).rejects.toMatchObject({
      code: "promocode-not-found",
    });
  });

  it("are created although other transactions are in the way", async () => {
    const promotionId = await aPromotion();
    const real = client.dynamoDb.send.bind(client.dynamoDb);
    let conflicts = 2;
    const sent = vi.spyOn(client.dynamoDb, "send").mockImplementation((async (command: never) => {
      // Not the audit trail's writes, which come before and after.
      if (!((command as object) instanceof TransactWriteCommand) || conflicts === 0) return real(command);
      conflicts -= 1;
      throw new TransactionCanceledException({
        message: "Transaction cancelled",
        $metadata: {},
        CancellationReasons: [{ Code: "TransactionConflict" }, { Code: "None" }],
      });
    }) as typeof client.dynamoDb.send);

    const { status } = await call("createPromocode", {
      body: { promotionId, type: "global", code: "CONFLICT" },
    });

    sent.mockRestore();
    expect(status).toBe(201);
    expect(conflicts).toBe(0);
  });

  it("are found again by the request that created them", async () => {
    const promotionId = await aPromotion();
    const promocode = {
      promocodeId: "retried",
      promotionId,
      type: "global",
      code: "RETRIED",
      createdAt: "2026-11-23T09:00:00.000Z",
      updatedAt: "2026-11-23T09:00:00.000Z",
    } as const;

    const first = await storage.promocodes.create(promocode, "request-1");
    await call("archivePromotion", { path: { promotionId } });
    const again = await storage.promocodes.create(promocode, "request-1");

    expect(again).toEqual(first);
    await expect(storage.promocodes.create(promocode, "request-2")).rejects.toMatchObject({
      code: "promotion-archived",
    });
  });
});
