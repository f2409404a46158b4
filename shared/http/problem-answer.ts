import type { APIGatewayProxyResult } from "aws-lambda";
import { type Problem, problemByCode, problemType } from "../contract/problems.ts";
import type { Failure } from "../domain/failure.ts";

/** Seconds after which another try makes sense, for refusals that pass by themselves. */
const retryAfterByCode: Readonly<Partial<Record<Failure["code"], number>>> = {
  "request-in-progress": 1,
  "too-many-requests": 1,
  unavailable: 1,
};

/** The RFC 9457 body of a failure. `instance` is the request's id. */
export const problemOf = (failure: Failure, requestId: string): Problem => ({
  type: problemType(failure.code),
  title: problemByCode[failure.code].title,
  status: problemByCode[failure.code].status,
  detail: failure.message,
  instance: requestId,
  code: failure.code,
  ...(failure.errors && { errors: [...failure.errors] }),
});

/** A failure as the gateway's answer. */
export const problemAnswer = (
  failure: Failure,
  requestId: string,
  headers: Readonly<Record<string, string>> = {},
): APIGatewayProxyResult => {
  const problem = problemOf(failure, requestId);
  const retryAfter = retryAfterByCode[failure.code];
  return {
    statusCode: problem.status,
    headers: {
      "Content-Type": "application/problem+json",
      "Cache-Control": "no-store",
      "X-Request-Id": requestId,
      ...(retryAfter !== undefined && { "Retry-After": String(retryAfter) }),
      ...headers,
    },
    body: JSON.stringify(problem),
  };
};
