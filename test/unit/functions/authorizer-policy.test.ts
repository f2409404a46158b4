import { describe, expect, it } from "vitest";
import { allowedArns, stageOf } from "../../../functions/authorize-request/policy.ts";
import type { Route } from "../../../shared/contract/route.ts";
import { routes } from "../../../shared/contract/routes.ts";

const stage = "arn:aws:execute-api:eu-west-1:123456789012:abcdef/dev";

/** As IAM matches: `*` stands for anything, slashes too. */
const matches = (pattern: string, arn: string): boolean =>
  new RegExp(
    `^${pattern
      .split("*")
      .map((part) => part.replace(/[.\\/:]/g, "\\$&"))
      .join(".*")}$`,
  ).test(arn);

const arnOf = ({ method, path }: Route): string => `${stage}/${method}${path.replace(/\{\w+\}/g, "some-id")}`;

describe("an authorizer's policy", () => {
  it("speaks of the stage that was called", () => {
    expect(stageOf(`${stage}/GET/v1/promotions/prm_1`)).toBe(stage);
  });

  const cases = Object.entries<Route>(routes)
    .filter(([, route]) => route.scopes !== null)
    .flatMap(([name, route]) =>
      (["admin", "allocate", "read"] as const).map((scope) => ({ name, route, scope })),
    );

  it.each(cases)("of a key with $scope opens $name only if that takes it", ({ route, scope }) => {
    const open = allowedArns(stage, [scope]).some((pattern) => matches(pattern, arnOf(route)));

    expect(open).toBe(scope === "admin" || route.scopes?.includes(scope));
  });

  it("stays small: the gateway keeps one for each key", () => {
    expect(JSON.stringify(allowedArns(stage, ["read", "allocate"])).length).toBeLessThan(4_000);
  });
});
