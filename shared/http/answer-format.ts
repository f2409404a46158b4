import type { Route } from "../contract/route.ts";
import type { Answer } from "./answer.ts";
import type { ApiCall, ApiMiddleware } from "./api-middleware.ts";
import { gatewayAnswer, type JsonAnswer } from "./gateway-answer.ts";
import { keepAnswer } from "./idempotency.ts";

/** Checks the handler's answer, keeps it under the Idempotency-Key, and makes it the gateway's result. */
export const answerFormat = (route: Route): ApiMiddleware => ({
  after: async (request) => {
    const { response, event, context } = request;
    if (!response || !("status" in response))
      throw new Error(`the handler of ${route.method} ${route.path} answered nothing`);
    const answer = checkedAnswer(route, response);
    await keepAnswer(context.call, answer);
    const replayed = wasSeenBefore(route, context.call, response.body);
    request.response = gatewayAnswer(answer, route, event, { replayed });
  },
});

/**
 * The handler's answer as JSON, checked against the route's schema, so that no field leaks that the contract does not
 * name. A mismatch is a mistake of ours: it throws, which is a 500.
 */
const checkedAnswer = (route: Route, { status, body, location }: Answer<unknown>): JsonAnswer => {
  const where = `${route.method} ${route.path}`;
  if (!(status in route.statuses))
    throw new Error(`${where} answered ${status}, which its route does not list`);
  const result = route.answer.safeParse(body);
  if (!result.success) {
    const issues = result.error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`);
    throw new Error(`the answer of ${where} does not match its schema: ${issues.join("; ")}`);
  }
  return { status, json: JSON.stringify(result.data), location };
};

/** On an allocation the Idempotency-Key is the trigger and has no record: `repeated` tells that it was seen before. */
const wasSeenBefore = (route: Route, { idempotencyKey }: ApiCall, body: unknown): boolean => {
  if (route.idempotency !== "trigger" || idempotencyKey === undefined) return false;
  const { results } = body as { readonly results?: readonly unknown[] };
  return results ? results.length > 0 && results.every(isRepeated) : isRepeated(body);
};

const isRepeated = (allocation: unknown): boolean =>
  (allocation as { readonly repeated?: boolean }).repeated === true;
