import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import type { DynamoDbEngine } from "../../local/dynamodb/engine.ts";
import type { Route } from "../../shared/contract/route.ts";
import { type RouteName, routes } from "../../shared/contract/routes.ts";
import type { ApiHandler } from "../../shared/http/api-handler.ts";
import { type CallOptions, callApi } from "../support/api-call.ts";
import { engines } from "../support/engines.ts";
import { createTable } from "../support/table.ts";

/** Rights that a command needs; of a transaction, those of its parts. */
const actionsOf = (command: { readonly input: object; readonly constructor: { readonly name: string } }) => {
  const name = command.constructor.name.replace(/Command$/, "");
  const nameByRight: Readonly<Record<string, string>> = {
    Get: "GetItem",
    Put: "PutItem",
    Update: "UpdateItem",
    Delete: "DeleteItem",
    BatchGet: "BatchGetItem",
    ConditionCheck: "ConditionCheckItem",
  };
  const parts =
    name === "TransactWrite"
      ? (command.input as { readonly TransactItems: readonly object[] }).TransactItems.flatMap(Object.keys)
      : [name];
  return parts.map((part) => nameByRight[part] ?? part);
};

const engine = engines[0];
if (!engine) throw new Error("no engine");

describe("the rights of a function, over all that it can meet", () => {
  let running: DynamoDbEngine;
  let used: Map<RouteName, Set<string>>;
  beforeAll(async () => {
    running = await engine.start();
    await createTable(running);
    const { dynamoDb } = await import("../../shared/storage/client.ts");
    const send = vi.spyOn(dynamoDb, "send");
    const handlers: Partial<Record<RouteName, ApiHandler>> = {
      createPromotion: (await import("../../functions/create-promotion/handler.ts")).handler,
      listPromotions: (await import("../../functions/list-promotions/handler.ts")).handler,
      getPromotion: (await import("../../functions/get-promotion/handler.ts")).handler,
      updatePromotion: (await import("../../functions/update-promotion/handler.ts")).handler,
      activatePromotion: (await import("../../functions/activate-promotion/handler.ts")).handler,
      deactivatePromotion: (await import("../../functions/deactivate-promotion/handler.ts")).handler,
      archivePromotion: (await import("../../functions/archive-promotion/handler.ts")).handler,
      duplicatePromotion: (await import("../../functions/duplicate-promotion/handler.ts")).handler,
      createPromocode: (await import("../../functions/create-promocode/handler.ts")).handler,
      listPromocodes: (await import("../../functions/list-promocodes/handler.ts")).handler,
      getPromocode: (await import("../../functions/get-promocode/handler.ts")).handler,
      updatePromocode: (await import("../../functions/update-promocode/handler.ts")).handler,
      reportHealth: (await import("../../functions/report-health/handler.ts")).handler,
    };
    used = new Map();
    const call = async (name: RouteName, options: CallOptions = {}) => {
      const handler = handlers[name];
      if (!handler) throw new Error(`no handler for ${name}`);
      send.mockClear();
      const answer = await callApi<{ promotionId: string; promocodeId: string; nextCursor?: string }>(
        handler,
        name,
        options,
      );
      expect(answer.status).toBeLessThan(500);
      const actions = used.get(name) ?? new Set();
      for (const [command] of send.mock.calls) for (const action of actionsOf(command)) actions.add(action);
      used.set(name, actions);
      return answer.body;
    };
    let keysMade = 0;
    /** Answered, answered again, and refused: all that an Idempotency-Key's record goes through. */
    const post = async (name: RouteName, good: CallOptions, bad: CallOptions) => {
      const key = { "Content-Type": "application/json", "Idempotency-Key": `key-${++keysMade}` };
      await call(name, { ...bad, headers: key });
      const answer = await call(name, { ...good, headers: key });
      await call(name, { ...good, headers: key });
      return answer;
    };

    const { promotionId } = await post(
      "createPromotion",
      { body: { name: "x", promotionId: "one", status: "active" } },
      { body: { name: "" } },
    );
    await post("createPromotion", { body: { name: "x" } }, { body: { name: "x", promotionId: "one" } });
    const at = { path: { promotionId } };
    const nowhere = { path: { promotionId: "nowhere" } };
    await post("duplicatePromotion", at, nowhere);
    const { promocodeId } = await post(
      "createPromocode",
      { body: { promotionId, type: "personalized" } },
      { body: { promotionId: "nowhere", type: "personalized" } },
    );
    await call("createPromocode", { body: { promotionId, type: "global", code: "G" } });
    const atCode = { path: { promocodeId } };
    for (const place of [atCode, { path: { promocodeId: "nowhere" } }]) {
      await call("getPromocode", place);
      await call("updatePromocode", { ...place, body: { uniqueCodes: { onExhausted: "refuse" } } });
    }
    const promocodes = await call("listPromocodes", { query: { limit: "1" } });
    await call("listPromocodes", { query: { limit: "1", cursor: promocodes.nextCursor ?? "" } });
    await call("listPromocodes", { query: { code: "G" } });
    const { nextCursor } = await call("listPromotions", { query: { limit: "1" } });
    await call("listPromotions", { query: { limit: "1", cursor: nextCursor ?? "" } });
    for (const place of [at, at, nowhere]) {
      await call("getPromotion", place);
      await call("updatePromotion", { ...place, body: { name: "y" } });
      await call("deactivatePromotion", place);
      await call("activatePromotion", place);
      await call("activatePromotion", place);
      await call("archivePromotion", place);
    }
    await call("reportHealth");
  });
  afterAll(() => running.close());

  const names = Object.keys(routes).filter((name) =>
    ["Promotions", "Promocodes"].includes(routes[name as RouteName].tag),
  ) as RouteName[];

  it.each([...names, "reportHealth"] as RouteName[])("are what %s uses, no less and no more", (name) => {
    // Making the secret of the cursors is up to whichever list needs it first.
    const mayUse = name.startsWith("list") ? ["PutItem", "GetItem"] : [];
    const { needs }: Pick<Route, "needs"> = routes[name];

    expect([...new Set([...(used.get(name) ?? []), ...mayUse])].sort()).toEqual(
      [...(needs.table ?? [])].sort(),
    );
  });
});
