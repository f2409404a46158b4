import { extendZodWithOpenApi, OpenAPIRegistry, OpenApiGeneratorV31 } from "@asteasolutions/zod-to-openapi";
import * as z from "zod";
import { idempotencyKeySchema } from "../shared/contract/conventions.ts";
import {
  deliveredEventSchema,
  deliveredExample,
  type EventName,
  eventNames,
  events,
} from "../shared/contract/events.ts";
import { type ProblemCode, problemByCode, problemSchema } from "../shared/contract/problems.ts";
import type { Route } from "../shared/contract/route.ts";
import { routes } from "../shared/contract/routes.ts";

extendZodWithOpenApi(z);

type Responses = Parameters<OpenAPIRegistry["registerPath"]>[0]["responses"];
type Response = Responses[string];

/** The whole API as OpenAPI 3.1, made of the schemas that the handlers parse and check with. */
export const openApiDocument = (version: string): object => {
  const registry = new OpenAPIRegistry();
  registry.registerComponent("securitySchemes", "ApiKey", {
    type: "apiKey",
    in: "header",
    name: "X-API-KEY",
    description:
      "`cwk_…`, made with `npm run keys -- create`. Carries the scopes `admin`, `allocate` or `read`.",
  });
  for (const [name, route] of Object.entries<Route>(routes)) registry.registerPath(operation(name, route));
  for (const name of eventNames) registry.registerWebhook(webhook(name));
  const document = new OpenApiGeneratorV31(registry.definitions).generateDocument({
    openapi: "3.1.0",
    info: {
      title: "Codewell",
      version,
      description: overview,
      license: { name: "Apache-2.0", identifier: "Apache-2.0" },
    },
    servers: [{ url: ".", description: "The service that this description came from." }],
    tags: Object.entries({ ...tags, Events: aboutEvents }).map(([name, description]) => ({
      name,
      description,
    })),
  });
  return withPlainPatterns(eventsLast(document)) as object;
};

const overview = `Codewell hands out promotion codes: one shared code for everyone, or unique codes out of a pool, each to one customer only.

A **promotion** is what a marketer runs. A **promocode** belongs to a promotion and is either \`global\` (one shared code) or \`personalized\` (a pool of unique codes, filled from CSV **code files**). An **allocation** gives a customer a code. An **audience** is a CSV of customers who get a code each. An **export** is a CSV of who got which code.

### Authentication
Send an API key in the header \`X-API-KEY\`. A key has scopes: \`admin\` may do everything, \`allocate\` hands out codes, \`read\` reads and exports. Each call says which it takes. A revoked key can go on for up to a minute.

### Errors
Every refusal is \`application/problem+json\` (RFC 9457) with a stable \`code\` for programs and a \`detail\` for people that says what to do. \`instance\` is the request's id: tell it to whoever operates the service. \`errors\` says where a body or parameter is wrong. Unknown fields and unknown query parameters are refused. A path that exists answers other methods with 405 and \`Allow\`, an unknown path is 404.

### Lists
Lists take \`limit\` (1 to 200, 50 unless told) and \`cursor\`, and answer \`{items, nextCursor?}\`. Hand \`nextCursor\` back as it is, with the same filters, until there is none. A cursor of another list is refused.

### Doing things once
Every POST takes an \`Idempotency-Key\`. The same key with the same path and body within 24 hours gives the first answer again, with \`Idempotent-Replayed: true\`; with another one it is refused with 422; while the first is being answered, with 409. A refused request leaves the key free. Keys of different API keys and calls never meet. On an allocation the key is the trigger of that customer: it needs no record of its own and holds for ever.

### Rate limit
Each key has a rate limit. Beyond it calls are refused with 429 and \`Retry-After\` in seconds, as they are with 503 while the service is busy.

### Bodies
JSON in UTF-8, up to 1 MB, with \`Content-Type: application/json\`. Calls without a body take none, or \`{}\`. The character U+FFFD, which stands where bytes were no UTF-8, is taken only as the escape \`\\ufffd\`. No field may be called \`__proto__\`. Times are UTC, RFC 3339, with milliseconds. Ids are compared exactly.`;

const tags: Readonly<Record<Route["tag"], string>> = {
  Promotions: "What a marketer runs. `draft` -> `active` <-> `deactivated` -> `archived`.",
  Promocodes: "A shared code, or a pool of unique codes, attached to a promotion.",
  "Code files": "CSV files that fill a pool: uploaded, or dropped into the uploads bucket.",
  Allocation: "Who gets which code, and who has which.",
  Audiences:
    "CSV files of customers who get a code each, in one go: uploaded, or dropped into the uploads bucket.",
  Exports: "CSV files of who got which code.",
  Audit: "Who changed what, and when.",
  Erasure: "Forgetting a person for good.",
  Service: "Always there, without a key.",
};

const aboutEvents =
  "What the service puts on its EventBridge bus. The bodies are what a rule's targets get, an API destination among them.";

/** An event as a consumer gets it over HTTP, from a rule with an API destination. */
const webhook = (name: EventName): Parameters<OpenAPIRegistry["registerWebhook"]>[0] => ({
  method: "post",
  path: name,
  operationId: `on${name}`,
  tags: ["Events"],
  summary: name,
  description: events[name].when,
  request: {
    body: {
      required: true,
      content: {
        "application/json": { schema: deliveredEventSchema(name), example: deliveredExample(name) },
      },
    },
  },
  responses: { 200: { description: "The consumer has it." } },
});

const operation = (name: string, route: Route): Parameters<OpenAPIRegistry["registerPath"]>[0] => ({
  method: route.method.toLowerCase() as "get",
  path: route.path,
  operationId: name,
  tags: [route.tag],
  summary: route.summary,
  description: descriptionOf(route),
  security: route.scopes === null ? [] : [{ ApiKey: [] }],
  request: {
    ...(route.pathParameters && { params: route.pathParameters as z.ZodObject }),
    ...(route.query && { query: route.query as z.ZodObject }),
    ...(route.idempotency && { headers: z.object({ "Idempotency-Key": idempotencyKey(route) }) }),
    ...(route.body && {
      body: { required: route.bodyOptional !== true, content: json(route.body) },
    }),
  },
  responses: { ...successes(route), ...refusals(route) },
});

const descriptionOf = ({ description, scopes }: Route): string =>
  [
    description,
    scopes === null
      ? "Takes no key."
      : `Scope: ${["admin", ...scopes].map((scope) => `\`${scope}\``).join(" or ")}.`,
  ]
    .filter(Boolean)
    .join("\n\n");

const idempotencyKey = ({ idempotency }: Route) =>
  idempotencyKeySchema
    .optional()
    .describe(
      idempotency === "trigger"
        ? "The trigger of the call: with the same one the customer gets the same code again, for ever."
        : "Of your choice, for one request: sent again, it gives the first answer again.",
    );

const json = (schema: z.ZodType) => {
  const example = exampleOf(schema);
  return { "application/json": { schema, ...(example !== undefined && { example }) } };
};

/** A schema's own example; of a page, a page with its item's. */
const exampleOf = (schema: z.ZodType): unknown => {
  const own = schema.meta()?.example;
  if (own !== undefined || !(schema instanceof z.ZodObject)) return own;
  const items: unknown = schema.shape.items;
  const item = items instanceof z.ZodArray ? exampleOf(items.element as z.ZodType) : undefined;
  return item === undefined ? undefined : { items: [item] };
};

const header = (description: string) => ({ description, schema: { type: "string" as const } });

const successes = ({ statuses, answer, location, idempotency }: Route): Responses => {
  const headers = {
    ...(location && { Location: header("Path of what was created.") }),
    ...(idempotency && {
      "Idempotent-Replayed": header(
        "`true` when this is an answer given before. On an allocation: when the customer had the code already.",
      ),
    }),
  };
  return Object.fromEntries(
    Object.entries(statuses).map(([status, description]) => [
      status,
      { description, ...(Object.keys(headers).length > 0 && { headers }), content: json(answer) },
    ]),
  );
};

/** What a call can be refused with beside its own refusals. */
const commonRefusals = ({ scopes, idempotency }: Route): readonly ProblemCode[] => [
  "invalid-request",
  ...(scopes === null ? [] : (["unauthorized", "forbidden", "too-many-requests"] as const)),
  // A body that a call should not have is read all the same, and refused.
  "malformed-json",
  "body-too-large",
  "unsupported-media-type",
  ...(idempotency === "recorded" ? (["request-in-progress", "idempotency-key-reused"] as const) : []),
  "internal-error",
  "bad-gateway",
  "unavailable",
  "gateway-timeout",
];

const retried: readonly number[] = [429, 503];

const refusals = (route: Route): Responses => {
  const codes = [...new Set([...route.refusals, ...commonRefusals(route)])];
  const statuses = [...new Set(codes.map((code) => problemByCode[code].status))].sort();
  return Object.fromEntries(
    statuses.map((status): [string, Response] => [
      String(status),
      {
        description: codes
          .filter((code) => problemByCode[code].status === status)
          .map((code) => `\`${code}\`: ${problemByCode[code].title}.`)
          .join("\n\n"),
        ...(retried.includes(status) && { headers: { "Retry-After": header("Seconds to wait.") } }),
        content: { "application/problem+json": { schema: problemSchema } },
      },
    ]),
  );
};

/** The generator begins with the webhooks, and a reader with the calls. */
const eventsLast = (document: ReturnType<OpenApiGeneratorV31["generateDocument"]>) => {
  const { webhooks, ...calls } = document;
  const isEvent = ([name]: [string, unknown]) => eventNames.some((event) => event === name);
  const schemas = Object.entries(document.components?.schemas ?? {});
  const ordered = [...schemas.filter((one) => !isEvent(one)), ...schemas.filter(isEvent)];
  return { ...calls, components: { ...document.components, schemas: Object.fromEntries(ordered) }, webhooks };
};

/**
 * zod-to-openapi 9.1 leaves a regular expression's flags at the end of its pattern. JSON Schema has no flags, and
 * validators read patterns as if `u` were set.
 */
const withPlainPatterns = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(withPlainPatterns);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [
      key,
      key === "pattern" && typeof inner === "string" ? inner.replace(/\/u$/, "") : withPlainPatterns(inner),
    ]),
  );
};
