import type { Route, Scope } from "../../shared/contract/route.ts";
import { routes } from "../../shared/contract/routes.ts";

/** The stage in a method's ARN: `arn:aws:execute-api:eu-west-1:123456789012:abcdef/dev`. */
export const stageOf = (methodArn: string): string => methodArn.split("/").slice(0, 2).join("/");

/**
 * Every route that the scopes open, as ARNs of the stage. Not only the one that was called: the gateway keeps the
 * policy for a minute and asks it about the key's other calls too
 * (docs.aws.amazon.com/apigateway/latest/developerguide/configure-api-gateway-lambda-authorization-with-console.html).
 * A `*` matches slashes as well, so a policy can open more than meant; `scope-check.ts` closes that in the function.
 */
export const allowedArns = (stage: string, scopes: readonly Scope[]): readonly string[] => {
  if (scopes.includes("admin")) return [`${stage}/*`];
  return Object.values<Route>(routes)
    .filter((route) => route.scopes?.some((scope) => scopes.includes(scope)))
    .map(({ method, path }) => `${stage}/${method}${path.replace(/\{\w+\}/g, "*")}`);
};
