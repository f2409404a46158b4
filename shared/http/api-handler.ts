import middy from "@middy/core";
import type { APIGatewayProxyEvent, APIGatewayProxyResult, Context } from "aws-lambda";
import type * as z from "zod";
import type { Route } from "../contract/route.ts";
import type { Answer } from "./answer.ts";
import { answerFormat } from "./answer-format.ts";
import type { ApiContext } from "./api-middleware.ts";
import { auditTrail } from "./audit-trail.ts";
import { callContext } from "./call-context.ts";
import { recordedAnswers } from "./idempotency.ts";
import { outcomeLog } from "./outcome-log.ts";
import { parsedCall } from "./parsed-call.ts";
import { problemAnswers } from "./problem-answers.ts";

/** A call as its handler sees it: parsed by the route's schemas. */
export interface Call<Path, Query, Body> {
  readonly path: Path;
  readonly query: Query;
  readonly body: Body;
  /** As the caller sent it; undefined without the header. */
  readonly idempotencyKey: string | undefined;
  /** The API key's id; `anonymous` where no key is needed. */
  readonly keyId: string;
  /** Names what the call creates: the same ULID for all tries with the same Idempotency-Key. */
  readonly freshUlid: string;
  /** When the call was received. */
  readonly now: Date;
  /** The gateway's id of the call, told in every problem. */
  readonly requestId: string;
}

export type ApiHandler = (event: APIGatewayProxyEvent, context: Context) => Promise<APIGatewayProxyResult>;

/** Time kept for an answer when a function runs out of its own, in milliseconds. */
const timeForProblem = 250;

/**
 * A Lambda function for one route: `answer` gets a parsed call and answers with `ok`, `created` or `accepted`, or
 * throws a `Failure`. Everything else of HTTP happens here: scopes, parsing, idempotency, the audit
 * trail, problems, headers, the log.
 */
export const apiHandler = <
  Path extends z.ZodType,
  Query extends z.ZodType,
  Body extends z.ZodType,
  Reply extends z.ZodType,
>(
  route: Route<Path, Query, Body, Reply>,
  answer: (
    call: Call<z.output<Path>, z.output<Query>, z.output<Body>>,
  ) => Promise<Answer<z.input<Reply>>> | Answer<z.input<Reply>>,
): ApiHandler => {
  // `before` runs from top to bottom, `after` and `onError` from bottom to top.
  const pipeline = middy<APIGatewayProxyEvent, APIGatewayProxyResult | Answer<unknown>, Error, ApiContext>({
    timeoutEarlyInMillis: timeForProblem,
    requestEnd: outcomeLog(route),
  })
    .use(problemAnswers())
    .use(callContext(route))
    .use(parsedCall(route))
    .use(recordedAnswers(route))
    .use(auditTrail(route))
    .use(answerFormat(route))
    .handler(async (_event, { call }) =>
      answer({
        path: call.path as z.output<Path>,
        query: call.query as z.output<Query>,
        body: call.body as z.output<Body>,
        idempotencyKey: call.idempotencyKey,
        keyId: call.keyId,
        freshUlid: call.freshUlid,
        now: call.receivedAt,
        requestId: call.requestId,
      }),
    );
  return (event, context) => pipeline(event, context as ApiContext) as Promise<APIGatewayProxyResult>;
};
