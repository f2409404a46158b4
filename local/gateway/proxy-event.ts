import { localAccountId } from "../template/read-template.ts";
import { type GatewayCall, headerOf } from "./call.ts";
import type { Match } from "./router.ts";

/** What the authorizer found out, as functions get it: API Gateway makes every value a string. */
export type AuthorizerContext = Readonly<Record<string, string>>;

export interface ProxyEventInput {
  readonly call: GatewayCall;
  readonly match: Match;
  readonly apiId: string;
  readonly stage: string;
  readonly authorizer?: AuthorizerContext | undefined;
  /** Name of the key whose usage plan counts. */
  readonly usageIdentifierKey?: string | undefined;
  readonly body: string | null;
  readonly isBase64Encoded: boolean;
}

/** The event of a Lambda proxy integration, in its first and only version for REST APIs. */
export function proxyEvent(input: ProxyEventInput) {
  const { call, match, authorizer } = input;
  return {
    ...commonOf(call, match),
    requestContext: {
      ...requestContextOf(input),
      ...(authorizer === undefined ? {} : { authorizer }),
    },
    body: input.body,
    isBase64Encoded: input.isBase64Encoded,
  };
}

/** What an authorizer of type REQUEST gets: the same without the body. */
export function authorizerEvent(input: Omit<ProxyEventInput, "body" | "isBase64Encoded">, methodArn: string) {
  return {
    type: "REQUEST",
    methodArn,
    ...commonOf(input.call, input.match),
    requestContext: requestContextOf(input),
  };
}

function commonOf(call: GatewayCall, { method, pathParameters }: Match) {
  const names = [...new Set(call.query.keys())];
  return {
    resource: method.resourcePath,
    path: call.path,
    httpMethod: call.httpMethod,
    headers: call.headers,
    multiValueHeaders: call.multiValueHeaders,
    // The last of several values, as API Gateway takes it.
    queryStringParameters: orNull(names.map((name) => [name, call.query.getAll(name).at(-1)])),
    multiValueQueryStringParameters: orNull(names.map((name) => [name, call.query.getAll(name)])),
    pathParameters: orNull(Object.entries(pathParameters)),
    stageVariables: null,
  };
}

function orNull(entries: [string, unknown][]): object | null {
  return entries.length === 0 ? null : Object.fromEntries(entries);
}

function requestContextOf(input: Omit<ProxyEventInput, "body" | "isBase64Encoded">) {
  const { call, match, apiId, stage } = input;
  const host = headerOf(call, "host") ?? "localhost";
  return {
    accountId: localAccountId,
    apiId,
    resourceId: match.method.resourcePath,
    resourcePath: match.method.resourcePath,
    operationName: undefined,
    httpMethod: call.httpMethod,
    path: call.path,
    protocol: "HTTP/1.1",
    stage,
    requestId: call.requestId,
    extendedRequestId: call.requestId,
    requestTime: new Date(call.receivedAt).toUTCString(),
    requestTimeEpoch: call.receivedAt,
    domainName: host,
    domainPrefix: host.split(".")[0],
    identity: {
      accessKey: null,
      accountId: null,
      apiKey: input.usageIdentifierKey ?? null,
      caller: null,
      cognitoAuthenticationProvider: null,
      cognitoAuthenticationType: null,
      cognitoIdentityId: null,
      cognitoIdentityPoolId: null,
      sourceIp: call.sourceIp,
      user: null,
      userAgent: headerOf(call, "user-agent") ?? null,
      userArn: null,
    },
  };
}
