import type { APIGatewayProxyEvent, APIGatewayProxyResult } from "aws-lambda";
import type { Route } from "../contract/route.ts";
import { publicPath } from "./location.ts";

/** An answer whose body is JSON already, as an Idempotency-Key's record keeps it. */
export interface JsonAnswer {
  readonly status: number;
  readonly json: string;
  readonly location?: string | undefined;
}

/** The gateway's result. Nothing may be cached: answers name customers and codes. */
export const gatewayAnswer = (
  { status, json, location }: JsonAnswer,
  route: Pick<Route, "path">,
  event: APIGatewayProxyEvent,
  { replayed }: { readonly replayed: boolean },
): APIGatewayProxyResult => ({
  statusCode: status,
  headers: {
    "Content-Type": "application/json",
    "Cache-Control": "no-store",
    "X-Request-Id": event.requestContext.requestId,
    ...(location !== undefined && { Location: publicPath(location, route.path, event) }),
    ...(replayed && { "Idempotent-Replayed": "true" }),
  },
  body: json,
});
