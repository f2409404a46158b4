import type middy from "@middy/core";
import type { APIGatewayProxyEvent, APIGatewayProxyResult, Context } from "aws-lambda";
import type { Attempt } from "../storage/idempotency.ts";
import type { Answer } from "./answer.ts";

/** What the middlewares learn about a call, one after the other, before the handler runs. */
export interface ApiCall {
  readonly receivedAt: Date;
  readonly requestId: string;
  /** `anonymous` where no key is needed. */
  readonly keyId: string;
  readonly path: unknown;
  readonly query: unknown;
  readonly body: unknown;
  readonly idempotencyKey: string | undefined;
  /** The same ULID for all tries of a request with an Idempotency-Key. */
  readonly freshUlid: string;
  /** Set once an Idempotency-Key's record was taken for this call. */
  readonly attempt?: Attempt;
  /** Set once the change is on record in the audit trail. */
  readonly auditId?: string;
}

/** Lambda's context with the call on it, the only place where middy lets a middleware hand something to the handler. */
export interface ApiContext extends Context {
  call: ApiCall;
}

/** The handler puts an `Answer` where the gateway's result goes; `answer-format.ts` turns it into one. */
export type ApiRequest = middy.Request<
  APIGatewayProxyEvent,
  APIGatewayProxyResult | Answer<unknown>,
  Error,
  ApiContext
>;

export type ApiMiddleware = middy.MiddlewareObj<
  APIGatewayProxyEvent,
  APIGatewayProxyResult | Answer<unknown>,
  Error,
  ApiContext
>;
