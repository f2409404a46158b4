import type { GatewayResponseFacts } from "../template/facts.ts";
import { type GatewayCall, headerOf } from "./call.ts";
import { type Refusal, statusByRefusalType } from "./refusal.ts";

export interface GatewayAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | readonly string[]>>;
  readonly body: string | Buffer;
}

/** Puts a refusal into the words that the template has for it, or for its default. */
export type RenderRefusal = (refusal: Refusal, call: GatewayCall) => GatewayAnswer;

/** Checks the template's responses now, so that a variable that is not imitated shows at the start. */
export function gatewayResponses(facts: readonly GatewayResponseFacts[]): RenderRefusal {
  const byType = new Map(facts.map((each) => [each.responseType, each]));
  for (const each of facts)
    for (const text of [...Object.values(each.templates), ...Object.values(each.headers).map(asVariable)])
      fill(text, () => "", each.responseType);

  return (refusal, call) => {
    const plain = statusByRefusalType[refusal.type];
    const response = byType.get(refusal.type) ?? byType.get(plain < 500 ? "DEFAULT_4XX" : "DEFAULT_5XX");
    const value = (name: string) => variables[name]?.(call, refusal) ?? "";
    const [contentType, template] = templateFor(response, headerOf(call, "accept"));
    const headers: Record<string, string> = { "content-type": contentType };
    for (const [name, mapping] of Object.entries(response?.headers ?? {}))
      headers[name.toLowerCase()] = fill(asVariable(mapping), value, refusal.type);
    return {
      status: response?.statusCode ?? plain,
      headers,
      body: fill(template, value, refusal.type),
    };
  };
}

const defaultTemplate = '{"message":$context.error.messageString}';

/** The template of the type that the caller accepts, else the JSON one. */
function templateFor(
  response: GatewayResponseFacts | undefined,
  accept = "",
): [contentType: string, template: string] {
  const templates = Object.entries(response?.templates ?? {});
  const chosen =
    templates.find(([contentType]) => accept.includes(contentType)) ??
    templates.find(([contentType]) => contentType === "application/json") ??
    templates[0];
  return chosen ?? ["application/json", defaultTemplate];
}

/** `'text'` is a constant, `context.requestId` a variable. */
function asVariable(mapping: string): string {
  const [, constant] = /^'(.*)'$/s.exec(mapping) ?? [];
  return constant ?? `$${mapping}`;
}

type Variable = (call: GatewayCall, refusal: Refusal) => string;

const variables: Readonly<Record<string, Variable>> = {
  "context.requestId": (call) => call.requestId,
  "context.extendedRequestId": (call) => call.requestId,
  "context.path": (call) => call.path,
  "context.httpMethod": (call) => call.httpMethod,
  "context.identity.sourceIp": (call) => call.sourceIp,
  "context.requestTimeEpoch": (call) => String(call.receivedAt),
  "context.error.message": (_, refusal) => refusal.message,
  "context.error.messageString": (_, refusal) => JSON.stringify(refusal.message),
  "context.error.responseType": (_, refusal) => refusal.type,
};

function fill(text: string, value: (name: string) => string, responseType: string): string {
  return text.replaceAll(/\$((?:context|input|util|stageVariables|method)[\w.]*)/g, (_, name: string) => {
    if (!(name in variables))
      throw new Error(`Gateway response ${responseType}: $${name} is not imitated by the local service.`);
    return value(name);
  });
}
