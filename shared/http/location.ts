import type { APIGatewayProxyEvent } from "aws-lambda";

/**
 * The path as the caller sees it: before the route's own parts stand the stage (`/dev`) or a custom domain's base path.
 * `routePath` is the route's, `path` begins with `/v1`.
 */
export const publicPath = (
  path: string,
  routePath: string,
  { requestContext }: Pick<APIGatewayProxyEvent, "requestContext">,
): string => {
  const segments = requestContext.path.replace(/\/+$/, "").split("/");
  const prefix = segments.slice(0, segments.length - (routePath.split("/").length - 1));
  return `${prefix.join("/")}${path}`;
};
