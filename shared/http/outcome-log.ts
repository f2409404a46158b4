import type { Route } from "../contract/route.ts";
import { Failure } from "../domain/failure.ts";
import { publishMetrics } from "../operations/publish-metrics.ts";
import type { ApiRequest } from "./api-middleware.ts";
import { failureOf } from "./failure-of.ts";
import { loggable, logger } from "./logger.ts";

/**
 * One line and one metric per answer: route, status, code, milliseconds. The error behind a 5xx in full.
 * A hook and not a middleware: middy's `after` does not run when a stored answer is given again.
 */
export const outcomeLog = ({
  method,
  path,
}: Pick<Route, "method" | "path">): ((request: unknown) => void) => {
  const route = `${method} ${path}`;
  return (request) => {
    const { response, error, event, context } = request as ApiRequest;
    const status = response && "statusCode" in response ? response.statusCode : 500;
    const durationMs = Date.now() - context.call.receivedAt.getTime();
    const outcome = {
      route,
      status,
      durationMs,
      requestId: context.call.requestId,
      keyId: event.requestContext.authorizer?.keyId,
      ...(status >= 400 && { code: failureOf(error).code }),
    };
    if (status >= 400 && !(error instanceof Failure))
      logger.error("failed", { ...outcome, error: loggable(error) });
    else logger.info(status >= 400 ? "refused" : "answered", outcome);
    publishMetrics({ duration: durationMs }, { dimensions: { route, outcome: outcomeOf(status) } });
  };
};

const outcomeOf = (status: number): string => {
  if (status < 400) return "success";
  return status < 500 ? "refusal" : "fault";
};
