import { Duration, Fn, RemovalPolicy, Stack, Validations } from "aws-cdk-lib";
import {
  AccessLogField,
  AccessLogFormat,
  ApiKeySourceType,
  AuthorizationType,
  EndpointType,
  IdentitySource,
  type IResource,
  type IRestApi,
  LambdaIntegration,
  LogGroupLogDestination,
  type MethodOptions,
  RequestAuthorizer,
  RestApi,
  type UsagePlan,
} from "aws-cdk-lib/aws-apigateway";
import { LogGroup } from "aws-cdk-lib/aws-logs";
import { Construct } from "constructs";
import type { Needs, Route } from "../../shared/contract/route.ts";
import { functionName, type RouteName, routes } from "../../shared/contract/routes.ts";
import { gatewayRefusals, refusalBody } from "../gateway-refusals.ts";
import { workers } from "../jobs.ts";
import type { StageSettings } from "../stages.ts";
import { Firewall } from "./firewall.ts";
import { type FunctionDefaults, ServiceFunction } from "./service-function.ts";

export interface HttpApiProps extends FunctionDefaults {
  /** Gives a function what it needs, and nothing else. */
  readonly bind: (fn: ServiceFunction, needs: Needs) => void;
}

/** Routes that work through up to a thousand customers while the caller waits. */
const bulkRoutes: ReadonlySet<RouteName> = new Set<RouteName>(["allocateCodes"]);

/** The REST API: a function per route, a guard at the door, and one shape of refusal. */
export class HttpApi extends Construct {
  readonly api: RestApi;
  readonly usagePlan: UsagePlan;
  /** Where the API answers, without a slash at the end. */
  readonly url: string;
  private readonly functions = new Map<RouteName | "authorizeRequest", ServiceFunction>();

  constructor(scope: Construct, id: string, props: HttpApiProps) {
    super(scope, id);
    this.api = this.addApi(props);
    const guarded = this.guard(props);
    this.addRoutes(props, guarded);
    this.refuseOtherMethods(props);
    this.addRefusals();
    this.usagePlan = this.api.addUsagePlan("UsagePlan", {
      description: "Rate limit of each API key",
      throttle: props.settings.keyThrottle,
      // The cast: CDK's own classes do not hold under exactOptionalPropertyTypes.
      apiStages: [{ api: this.api as IRestApi, stage: this.api.deploymentStage }],
    });
    const { region, urlSuffix } = Stack.of(this);
    this.url = Fn.join("", [
      `https://${this.api.restApiId}.execute-api.${region}.${urlSuffix}/`,
      this.api.deploymentStage.stageName,
    ]);
  }

  /** The function behind a route, or the authorizer. */
  functionOf(name: RouteName | "authorizeRequest"): ServiceFunction {
    const found = this.functions.get(name);
    if (found === undefined) throw new Error(`There is no function ${name}.`);
    return found;
  }

  private addApi({ settings }: HttpApiProps): RestApi {
    const accessLog = new LogGroup(this, "AccessLog", {
      retention: settings.logRetention,
      removalPolicy: RemovalPolicy.RETAIN,
    });
    const api = new RestApi(this, "Rest", {
      // Not a name that must be free: the gateway's metrics go by it, and two stacks of an account would share them.
      restApiName: Stack.of(this).stackName,
      description: "Codewell: promotion codes as a service",
      endpointTypes: [EndpointType.REGIONAL],
      // The authorizer names the key whose rate limit counts; callers never see the gateway's own keys.
      apiKeySourceType: ApiKeySourceType.AUTHORIZER,
      // Access logs need the account's role for them; a fresh account has none.
      cloudWatchRole: true,
      deployOptions: {
        stageName: settings.name,
        throttlingRateLimit: settings.apiThrottle.rateLimit,
        throttlingBurstLimit: settings.apiThrottle.burstLimit,
        dataTraceEnabled: false,
        accessLogDestination: new LogGroupLogDestination(accessLog),
        accessLogFormat,
      },
    });
    // The stack says the address itself, under a name that people can type.
    api.node.tryRemoveChild("Endpoint");
    acknowledgeFindings(api);
    this.addFirewall(api, settings);
    return api;
  }

  private addFirewall(api: RestApi, { firewall }: StageSettings): void {
    if (firewall !== undefined)
      new Firewall(this, "Firewall", { stageArn: api.deploymentStage.stageArn, ...firewall });
    else
      Validations.of(api).acknowledge({
        id: "AwsSolutions-APIG3",
        reason:
          "Every call that costs something needs a key and is throttled per key; a firewall is the company's choice, by the setting `firewall`.",
      });
  }

  /** Makes the authorizer and answers what a method needs to be behind it. */
  private guard({ bind, ...defaults }: HttpApiProps): MethodOptions {
    const { folder, needs } = workers.authorizeRequest;
    const handler = new ServiceFunction(this, "AuthorizeRequest", {
      ...defaults,
      folder,
      timeout: Duration.seconds(10),
    });
    bind(handler, needs);
    this.functions.set("authorizeRequest", handler);
    const authorizer = new RequestAuthorizer(this, "Authorizer", {
      handler,
      identitySources: [IdentitySource.header("X-API-KEY")],
      resultsCacheTtl: Duration.seconds(60),
    });
    return { authorizer, authorizationType: AuthorizationType.CUSTOM, apiKeyRequired: true };
  }

  private addRoutes({ bind, ...defaults }: HttpApiProps, guarded: MethodOptions): void {
    for (const [name, route] of Object.entries(routes) as [RouteName, Route][]) {
      const handler = new ServiceFunction(this, capitalized(name), {
        ...defaults,
        folder: functionName(name),
        ...(bulkRoutes.has(name) ? { memoryMb: defaults.settings.bulkMemoryMb } : {}),
      });
      bind(handler, route.needs);
      this.functions.set(name, handler);
      const method = this.api.root
        .resourceForPath(route.path)
        .addMethod(
          route.method,
          new LambdaIntegration(handler, { allowTestInvoke: false }),
          route.scopes === null ? { operationName: name } : { operationName: name, ...guarded },
        );
      if (route.scopes === null)
        Validations.of(method).acknowledge({
          id: "AwsSolutions-APIG4",
          reason: "Public on purpose: it tells nothing that a stranger may not know.",
        });
    }
  }

  /** 405 instead of the gateway's 403 wherever a path answers some other method. */
  private refuseOtherMethods(defaults: HttpApiProps): void {
    const handler = new ServiceFunction(this, "RefuseMethod", {
      settings: defaults.settings,
      bundles: defaults.bundles,
      folder: workers.refuseMethod.folder,
    });
    defaults.bind(handler, workers.refuseMethod.needs);
    // One permission for all its methods: one each would outgrow the 20 KB that a function's policy may have.
    const integration = new LambdaIntegration(handler, { scopePermissionToMethod: false });
    for (const resource of this.resourcesOfRoutes()) {
      const method = resource.addMethod("ANY", integration);
      Validations.of(method).acknowledge({
        id: "AwsSolutions-APIG4",
        reason: "It only ever answers 405.",
      });
    }
  }

  private resourcesOfRoutes(): readonly IResource[] {
    const paths = new Set(Object.values(routes).map((route) => route.path));
    return [...paths].map((path) => this.api.root.resourceForPath(path));
  }

  private addRefusals(): void {
    for (const refusal of gatewayRefusals) {
      const body = refusalBody(refusal);
      const { retryAfterSeconds } = refusal;
      this.api.addGatewayResponse(refusal.type.responseType, {
        type: refusal.type,
        statusCode: String(body.status),
        responseHeaders: {
          "Content-Type": "'application/problem+json'",
          ...(retryAfterSeconds === undefined ? {} : { "Retry-After": `'${retryAfterSeconds}'` }),
        },
        // The key is what the gateway chooses a template by; the header above is what the caller sees.
        templates: { "application/json": JSON.stringify(body) },
      });
    }
  }
}

/** One JSON line per request. No `$context.path`, query or body: they can hold a customer's id. */
const accessLogFormat = AccessLogFormat.custom(
  JSON.stringify({
    requestId: AccessLogField.contextRequestId(),
    requestTime: AccessLogField.contextRequestTime(),
    keyId: AccessLogField.contextAuthorizerPrincipalId(),
    sourceIp: AccessLogField.contextIdentitySourceIp(),
    httpMethod: AccessLogField.contextHttpMethod(),
    resourcePath: AccessLogField.contextResourcePath(),
    status: AccessLogField.contextStatus(),
    refusal: AccessLogField.contextErrorResponseType(),
    responseLength: AccessLogField.contextResponseLength(),
    responseLatencyMs: AccessLogField.contextResponseLatency(),
    integrationLatencyMs: AccessLogField.contextIntegrationLatency(),
    authorizerLatencyMs: AccessLogField.contextAuthorizerIntegrationLatency(),
  }),
);

const capitalized = (name: string): string => name.charAt(0).toUpperCase() + name.slice(1);

function acknowledgeFindings(api: RestApi): void {
  const validations = Validations.of(api);
  validations.acknowledge({
    id: "AwsSolutions-COG4",
    reason: "Callers are servers of one company, not people: they have keys with scopes, not user accounts.",
  });
  validations.acknowledge({
    id: "AwsSolutions-APIG2",
    reason: "Handlers check requests by the schemas of the contract and say which field is wrong and why.",
  });
  validations.acknowledge({
    id: "AwsSolutions-APIG6",
    reason: "Execution logs hold the request's path, which can hold a customer's id. Access logs are on.",
  });
  validations.acknowledge({
    id: "Serverless-APIGWXrayEnabled",
    reason: "X-Ray traces hold the request's path, which can hold a customer's id.",
  });
  validations.acknowledge({
    id: "AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs]",
    reason: "AWS names this policy for the account-wide role through which API Gateway writes logs.",
  });
}
