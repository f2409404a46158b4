import { randomInt } from "node:crypto";
import { ulid } from "ulid";
import type { Route } from "../contract/route.ts";
import type { ApiMiddleware } from "./api-middleware.ts";
import { assertScope } from "./scope-check.ts";

/** First of all: who calls, when, under which request id. Refuses keys without the route's scope. */
export const callContext = (route: Pick<Route, "scopes">): ApiMiddleware => ({
  before: ({ event, context }) => {
    const receivedAt = new Date();
    const { requestId, authorizer } = event.requestContext;
    context.call = {
      receivedAt,
      requestId,
      keyId: typeof authorizer?.keyId === "string" ? authorizer.keyId : "anonymous",
      path: undefined,
      query: undefined,
      body: undefined,
      idempotencyKey: undefined,
      freshUlid: ulid(receivedAt.getTime(), randomFraction),
    };
    assertScope(route.scopes, authorizer?.scopes);
  },
});

/** Node draws many at once. The library's own way asks the system anew for each of the 16 characters. */
const randomFraction = (): number => randomInt(32) / 32;
