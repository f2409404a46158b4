import { Match } from "aws-cdk-lib/assertions";
import { describe, expect, it } from "vitest";
import * as z from "zod";
import { gatewayRefusals } from "../../infra/gateway-refusals.ts";
import { problemByCode, problemSchema } from "../../shared/contract/problems.ts";
import type { Route } from "../../shared/contract/route.ts";
import { routes } from "../../shared/contract/routes.ts";
import { resourcesOf, templateOf, withoutHash } from "./synthesized.ts";

const template = templateOf("prod");
const resources = resourcesOf(template);

const resourceSchema = z.object({
  PathPart: z.string(),
  ParentId: z.union([
    z.object({ Ref: z.string() }).transform(({ Ref }) => Ref),
    z.object({ "Fn::GetAtt": z.unknown() }).transform(() => null),
  ]),
});

const pathOf = (id: string | null): string => {
  if (id === null) return "";
  const { PathPart, ParentId } = resourceSchema.parse(resources.get(id)?.Properties);
  return `${pathOf(ParentId)}/${PathPart}`;
};

const methodSchema = z
  .object({
    HttpMethod: z.string(),
    ResourceId: z.object({ Ref: z.string() }),
    AuthorizationType: z.enum(["NONE", "CUSTOM"]).default("NONE"),
    ApiKeyRequired: z.boolean().default(false),
    Integration: z.object({
      Type: z.literal("AWS_PROXY"),
      Uri: z.object({ "Fn::Join": z.tuple([z.literal(""), z.array(z.unknown())]) }),
    }),
  })
  .transform(({ HttpMethod, ResourceId, AuthorizationType, ApiKeyRequired, Integration }) => ({
    method: HttpMethod,
    path: pathOf(ResourceId.Ref),
    guarded: AuthorizationType === "CUSTOM",
    keyed: ApiKeyRequired,
    function: withoutHash(/"Fn::GetAtt":\["(\w+)","Arn"\]/.exec(JSON.stringify(Integration.Uri))?.[1] ?? ""),
  }));

const methods = [...resources.values()]
  .filter(({ Type }) => Type === "AWS::ApiGateway::Method")
  .map(({ Properties }) => methodSchema.parse(Properties));

describe("the API's methods", () => {
  it("are the routes, each with its own function, guarded unless it is open to all", () => {
    const wanted = Object.entries<Route>(routes).map(([name, { method, path, scopes }]) => ({
      method,
      path,
      guarded: scopes !== null,
      keyed: scopes !== null,
      function: `Api${name.charAt(0).toUpperCase()}${name.slice(1)}`,
    }));

    const found = methods.filter(({ method }) => method !== "ANY");

    expect(new Set(found)).toEqual(new Set(wanted));
    expect(found).toHaveLength(wanted.length);
  });

  it("are refused with 405 on every path that has a route, without asking for a key, and on no other path", () => {
    const refused = methods.filter(({ method }) => method === "ANY");

    expect(new Set(refused.map(({ path }) => path))).toEqual(
      new Set(Object.values(routes).map(({ path }) => path)),
    );
    for (const one of refused)
      expect(one).toMatchObject({ guarded: false, keyed: false, function: "ApiRefuseMethod" });
  });
});

describe("the API's guard", () => {
  it("asks the authorizer once a minute per key", () => {
    template.hasResourceProperties("AWS::ApiGateway::Authorizer", {
      Type: "REQUEST",
      IdentitySource: "method.request.header.X-API-KEY",
      AuthorizerResultTtlInSeconds: 60,
    });
  });

  it("limits the rate of each key that the authorizer names", () => {
    template.hasResourceProperties("AWS::ApiGateway::RestApi", { ApiKeySourceType: "AUTHORIZER" });
    template.hasResourceProperties("AWS::ApiGateway::UsagePlan", {
      Throttle: { RateLimit: 500, BurstLimit: 1000 },
      ApiStages: [Match.objectLike({ Stage: { Ref: Match.stringLikeRegexp("DeploymentStage") } })],
    });
  });
});

/** As docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-response-types.html lists them. */
const gatewayResponseTypes = [
  "ACCESS_DENIED",
  "API_CONFIGURATION_ERROR",
  "AUTHORIZER_CONFIGURATION_ERROR",
  "AUTHORIZER_FAILURE",
  "BAD_REQUEST_BODY",
  "BAD_REQUEST_PARAMETERS",
  "DEFAULT_4XX",
  "DEFAULT_5XX",
  "EXPIRED_TOKEN",
  "INTEGRATION_FAILURE",
  "INTEGRATION_TIMEOUT",
  "INVALID_API_KEY",
  "INVALID_SIGNATURE",
  "MISSING_AUTHENTICATION_TOKEN",
  "QUOTA_EXCEEDED",
  "REQUEST_TOO_LARGE",
  "RESOURCE_NOT_FOUND",
  "THROTTLED",
  "UNAUTHORIZED",
  "UNSUPPORTED_MEDIA_TYPE",
  "WAF_FILTERED",
];

const gatewayResponseSchema = z.object({
  ResponseType: z.string(),
  StatusCode: z.string(),
  ResponseParameters: z.record(z.string(), z.string()),
  ResponseTemplates: z.object({ "application/json": z.string() }),
});

const answers = [...resources.values()]
  .filter(({ Type }) => Type === "AWS::ApiGateway::GatewayResponse")
  .map(({ Properties }) => gatewayResponseSchema.parse(Properties));

describe("the gateway's own answers", () => {
  it("leave no type to API Gateway's words", () => {
    expect(answers.map(({ ResponseType }) => ResponseType).sort()).toEqual(gatewayResponseTypes);
    expect(gatewayRefusals).toHaveLength(gatewayResponseTypes.length);
  });

  it.each(answers)("to $ResponseType are problems of the contract, with the request's id", (answer) => {
    const problem = problemSchema.parse(JSON.parse(answer.ResponseTemplates["application/json"]));

    expect(problem.instance).toBe("$context.requestId");
    expect(problem).toMatchObject(problemByCode[problem.code]);
    expect(answer.StatusCode).toBe(String(problem.status));
    expect(answer.ResponseParameters["gatewayresponse.header.Content-Type"]).toBe(
      "'application/problem+json'",
    );
  });

  it.each(["THROTTLED", "QUOTA_EXCEEDED", "AUTHORIZER_FAILURE"])("to %s say when to try again", (type) => {
    const answer = answers.find(({ ResponseType }) => ResponseType === type);

    expect(answer?.ResponseParameters["gatewayresponse.header.Retry-After"]).toMatch(/^'[1-9]\d*'$/);
  });
});

describe("the API's logs", () => {
  const [stage] = Object.values(template.findResources("AWS::ApiGateway::Stage"));
  const format = z.object({ AccessLogSetting: z.object({ Format: z.string() }) }).parse(stage?.Properties);

  it("are JSON without anything that can hold a customer's id", () => {
    const line = JSON.parse(format.AccessLogSetting.Format) as Record<string, string>;

    expect(Object.values(line)).toContain("$context.resourcePath");
    for (const field of Object.values(line))
      expect(field).not.toMatch(
        /\$context\.(path|customDomain|requestOverride|authorizer\.claims|wafResponse)/,
      );
  });

  it("hold no execution log and no body", () => {
    template.hasResourceProperties("AWS::ApiGateway::Stage", {
      MethodSettings: [
        { DataTraceEnabled: false, HttpMethod: "*", ResourcePath: "/*", LoggingLevel: Match.absent() },
      ],
      TracingEnabled: Match.absent(),
    });
  });
});
