import type { ApiMiddleware } from "./api-middleware.ts";
import { failureOf } from "./failure-of.ts";
import { problemAnswer } from "./problem-answer.ts";

/** Answers every error as a problem: RFC 9457, no stack, nothing of an unexpected error. */
export const problemAnswers = (): ApiMiddleware => ({
  onError: (request) => {
    request.response = problemAnswer(failureOf(request.error), request.context.call.requestId);
  },
});
