import * as z from "zod";
import type { Route } from "../contract/route.ts";
import type { ApiMiddleware } from "./api-middleware.ts";
import { parseInput } from "./input.ts";
import { jsonBody } from "./json-body.ts";
import { idempotencyKeyOf, pathParameters, queryParameters } from "./parameters.ts";

const nothing = z.strictObject({});

/**
 * Parses path, query, header and body by the route's schemas. A route without a body takes none, or `{}`; a route
 * without query parameters takes none.
 */
export const parsedCall = (route: Route): ApiMiddleware => ({
  before: ({ event, context }) => {
    const path = parseInput("path", route.pathParameters ?? nothing, pathParameters(event));
    const query = parseInput("query", route.query ?? nothing, queryParameters(event));
    const idempotencyKey = route.idempotency && idempotencyKeyOf(event);
    const given = jsonBody(event);
    const absentIsEmpty = route.body === undefined || route.bodyOptional === true;
    const body = parseInput("body", route.body ?? nothing, given === undefined && absentIsEmpty ? {} : given);
    context.call = { ...context.call, path, query, body, idempotencyKey };
  },
});
