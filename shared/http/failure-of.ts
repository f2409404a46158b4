import { Failure } from "../domain/failure.ts";
import { internalError, unavailable } from "../domain/failures.ts";

/** Names of errors that pass by themselves: throttling, contention, time-outs. From the SDK, from Node and from middy. */
const passing = new Set([
  "InternalServerError",
  "InternalServiceError",
  "LimitExceededException",
  "ProvisionedThroughputExceededException",
  "RequestLimitExceeded",
  "RequestTimeout",
  "ServiceUnavailable",
  "ServiceUnavailableException",
  "SlowDown",
  "ThrottledException",
  "Throttling",
  "ThrottlingException",
  "TimeoutError",
  "TooManyRequestsException",
  "TransactionConflictException",
  "TransactionInProgressException",
]);
const passingCodes = new Set(["ECONNREFUSED", "ECONNRESET", "EPIPE", "ETIMEDOUT", "EAI_AGAIN"]);
const passingReasons = new Set(["ThrottlingError", "ProvisionedThroughputExceeded", "TransactionConflict"]);

/** What errors of the SDK and of Node may hold. */
interface Clues {
  readonly name?: string;
  readonly code?: string;
  readonly $metadata?: { readonly httpStatusCode?: number };
  readonly CancellationReasons?: readonly { readonly Code?: string }[];
}

/** True when the same request may well succeed in a moment. */
const passesByItself = ({ name, code, $metadata, CancellationReasons }: Clues): boolean =>
  passing.has(name ?? "") ||
  passingCodes.has(code ?? "") ||
  ($metadata?.httpStatusCode ?? 0) >= 500 ||
  (CancellationReasons ?? []).some(({ Code }) => passingReasons.has(Code ?? ""));

/** The failure to tell the caller: an expected one as it is, trouble that passes as 503, all else as 500 without a word about it. */
export const failureOf = (error: unknown): Failure => {
  if (error instanceof Failure) return error;
  return error instanceof Error && passesByItself(error) ? unavailable() : internalError();
};
