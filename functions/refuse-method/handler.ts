import type { APIGatewayProxyEvent, APIGatewayProxyResult } from "aws-lambda";
import { routes } from "../../shared/contract/routes.ts";
import { methodNotAllowed, pathNotFound } from "../../shared/domain/failures.ts";
import { problemAnswer } from "../../shared/http/problem-answer.ts";

/** Every method of a known path that no route answers: 405 with the methods that the path does answer. */
export const handler = async ({
  resource,
  httpMethod,
  requestContext,
}: APIGatewayProxyEvent): Promise<APIGatewayProxyResult> => {
  const allowed = Object.values(routes)
    .filter(({ path }) => path === resource)
    .map(({ method }) => method);

  if (allowed.length === 0) return problemAnswer(pathNotFound(), requestContext.requestId);
  return problemAnswer(methodNotAllowed(httpMethod, allowed), requestContext.requestId, {
    Allow: allowed.join(", "),
  });
};
