import { randomUUID } from "node:crypto";
import type { APIGatewayProxyEvent, APIGatewayProxyResult, Context } from "aws-lambda";
import type { Problem } from "../../shared/contract/problems.ts";
import { type RouteName, routes } from "../../shared/contract/routes.ts";

export interface CallOptions {
  /** As they stand in the path: percent-encoded. */
  readonly path?: Readonly<Record<string, string>>;
  /** As the gateway decoded them. */
  readonly query?: Readonly<Record<string, string | readonly string[]>>;
  /** An object is sent as JSON, a string as it is. */
  readonly body?: unknown;
  readonly base64?: boolean;
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  readonly scopes?: string;
  readonly keyId?: string;
  readonly stage?: string;
  readonly requestId?: string;
}

/** The event that API Gateway sends to a route's function. States only what the test is about. */
export const anApiEvent = (name: RouteName, options: CallOptions = {}): APIGatewayProxyEvent => {
  const { method, path: resource } = routes[name];
  const path = resource.replace(
    /\{(\w+)\}/g,
    (_, parameter) => options.path?.[parameter] ?? `{${parameter}}`,
  );
  const headers = {
    ...(options.body !== undefined && { "Content-Type": "application/json" }),
    ...options.headers,
  };
  const body = typeof options.body === "string" ? options.body : JSON.stringify(options.body);
  const multiValueHeaders = multiValues(headers);
  const queries = multiValues(options.query ?? {});
  const event = {
    resource,
    path,
    httpMethod: method,
    headers: lastValues(multiValueHeaders),
    multiValueHeaders,
    queryStringParameters: options.query ? lastValues(queries) : null,
    multiValueQueryStringParameters: options.query ? queries : null,
    pathParameters: options.path ? { ...options.path } : null,
    stageVariables: null,
    body: body ?? null,
    isBase64Encoded: options.base64 ?? false,
    requestContext: {
      requestId: options.requestId ?? randomUUID(),
      stage: options.stage ?? "dev",
      path: `/${options.stage ?? "dev"}${path}`,
      resourcePath: resource,
      httpMethod: method,
      authorizer: {
        keyId: options.keyId ?? "key_01KA0000000000000000000000",
        scopes: options.scopes ?? "admin",
      },
    },
  };
  return event as unknown as APIGatewayProxyEvent;
};

const multiValues = (
  values: Readonly<Record<string, string | readonly string[]>>,
): Record<string, string[]> =>
  Object.fromEntries(
    Object.entries(values).map(([name, value]) => [name, typeof value === "string" ? [value] : [...value]]),
  );

const lastValues = (
  values: Readonly<Record<string, readonly string[]>>,
): Record<string, string | undefined> =>
  Object.fromEntries(Object.entries(values).map(([name, all]) => [name, all.at(-1)]));

/** Lambda's context. Without a deadline, so that no timer outlives the test. */
export const aLambdaContext = (): Context => ({ awsRequestId: randomUUID() }) as unknown as Context;

type Handler = (event: APIGatewayProxyEvent, context: Context) => Promise<APIGatewayProxyResult>;

/** An answer with its body read. `headers` in lower case. */
export interface ApiAnswer<Body> {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Body;
}

/** Calls a route's handler as the gateway does. */
export const callApi = async <Body = Record<string, unknown>>(
  handler: Handler,
  name: RouteName,
  options: CallOptions = {},
): Promise<ApiAnswer<Body>> => {
  const { statusCode, headers, body } = await handler(anApiEvent(name, options), aLambdaContext());
  return {
    status: statusCode,
    headers: Object.fromEntries(
      Object.entries(headers ?? {}).map(([header, value]) => [header.toLowerCase(), String(value)]),
    ),
    body: JSON.parse(body) as Body,
  };
};

/** Calls a handler that is expected to refuse. */
export const refusedApiCall = async (
  handler: Handler,
  name: RouteName,
  options: CallOptions = {},
): Promise<ApiAnswer<Problem>> => {
  const answer = await callApi<Problem>(handler, name, options);
  if (answer.status < 400) throw new Error(`${name} was expected to refuse, but answered ${answer.status}`);
  return answer;
};
