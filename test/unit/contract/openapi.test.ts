import { Ajv2020 } from "ajv/dist/2020.js";
import { describe, expect, it } from "vitest";
import { openApiDocument } from "../../../commands/openapi-document.ts";
import committed from "../../../openapi.json" with { type: "json" };
import packageJson from "../../../package.json" with { type: "json" };
import { eventNames, events } from "../../../shared/contract/events.ts";
import { problemByCode } from "../../../shared/contract/problems.ts";
import type { Route } from "../../../shared/contract/route.ts";
import { routes } from "../../../shared/contract/routes.ts";

interface MediaType {
  readonly schema: object;
  readonly example?: unknown;
}
interface Operation {
  readonly operationId: string;
  readonly description: string;
  readonly security: readonly object[];
  readonly parameters?: readonly {
    readonly name: string;
    readonly in: string;
    readonly required?: boolean;
  }[];
  readonly requestBody?: { readonly required?: boolean; readonly content: Record<string, MediaType> };
  readonly responses: Readonly<
    Record<string, { description: string; headers?: object; content?: Record<string, MediaType> }>
  >;
}

const document = JSON.parse(JSON.stringify(openApiDocument(packageJson.version))) as {
  readonly openapi: string;
  readonly tags: readonly { readonly name: string }[];
  readonly components: { readonly schemas: Record<string, object> };
  readonly paths: Record<string, Record<string, Operation>>;
  readonly webhooks: Record<string, { readonly post: Operation }>;
};

const operations = Object.entries<Route>(routes).map(([name, route]) => ({
  name,
  route,
  operation: document.paths[route.path]?.[route.method.toLowerCase()] as Operation,
}));

describe("openapi.json", () => {
  it('is what the routes say: run "npm run openapi" and commit it', () => {
    expect(committed).toEqual(document);
  });

  it("describes every route once, under its name", () => {
    const described = Object.values(document.paths).flatMap((methods) => Object.values(methods));

    expect(document.openapi).toBe("3.1.0");
    expect(described.map(({ operationId }) => operationId).sort()).toEqual(Object.keys(routes).sort());
  });

  it.each(operations)("gives $name its parameters, body and answers", ({ route, operation }) => {
    const inPath = operation.parameters?.filter((parameter) => parameter.in === "path") ?? [];
    const inHeader = operation.parameters?.filter((parameter) => parameter.in === "header") ?? [];

    expect(inPath.map(({ name }) => name).sort()).toEqual(
      [...route.path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name).sort(),
    );
    expect(inPath.every(({ required }) => required)).toBe(true);
    expect(inHeader.map(({ name }) => name)).toEqual(route.method === "POST" ? ["Idempotency-Key"] : []);
    expect(operation.requestBody !== undefined).toBe(route.body !== undefined);
    expect(Object.keys(operation.responses)).toEqual(expect.arrayContaining(Object.keys(route.statuses)));
    for (const code of route.refusals)
      expect(operation.responses[problemByCode[code].status]?.description).toContain(`\`${code}\``);
    expect(operation.security).toEqual(route.scopes === null ? [] : [{ ApiKey: [] }]);
  });

  it("has only tags that it explains", () => {
    const explained = document.tags.map(({ name }) => name);

    expect(operations.filter(({ route }) => !explained.includes(route.tag))).toEqual([]);
  });

  it("refers only to what it holds", () => {
    const references = [...JSON.stringify(document).matchAll(/"\$ref":"([^"]+)"/g)].map(
      ([, path]) => path ?? "",
    );
    const dangling = references.filter(
      (path) => !Object.hasOwn(document.components.schemas, path.replace("#/components/schemas/", "")),
    );

    expect(references.length).toBeGreaterThan(0);
    expect(dangling).toEqual([]);
  });
});

describe("the events in openapi.json", () => {
  const ajv = new Ajv2020({ strict: false, validateFormats: false });
  ajv.addSchema({ $id: "openapi", ...document });

  it("are all that the service tells, as webhooks", () => {
    expect(Object.keys(document.webhooks)).toEqual(eventNames);
  });

  it.each(eventNames)(
    "describe %s with an example that is valid, and that a change of it would not be",
    (name) => {
      const validate = ajv.getSchema(
        `openapi#/webhooks/${name}/post/requestBody/content/application~1json/schema`,
      );
      const example = document.webhooks[name]?.post.requestBody?.content["application/json"]?.example as {
        detail: object;
      };
      const { eventId, ...withoutId } = example.detail as { eventId: string };

      expect(validate?.(example)).toBe(true);
      expect(validate?.({ ...example, detail: withoutId })).toBe(false);
      expect(validate?.({ ...example, source: "somebody.else" })).toBe(false);
    },
  );

  it.each(eventNames)("of %s hold no customer and no code", (name) => {
    const fields = Object.keys(events[name].detail.shape);

    expect(fields.filter((field) => /customerId|uniqueCode|fileName|^code$/.test(field))).toEqual([]);
  });
});

describe("an example", () => {
  const answers = operations.filter(({ name }) => name !== "describeApi");

  it.each(answers)("of $name's answer is a valid answer", ({ route, operation }) => {
    for (const status of Object.keys(route.statuses)) {
      const example = operation.responses[status]?.content?.["application/json"]?.example;
      expect(example).toBeDefined();
      expect(route.answer.parse(example)).toEqual(example);
    }
  });

  it.each(operations.filter(({ route }) => route.body && !route.bodyOptional))(
    "of $name's body is a valid body",
    ({ route, operation }) => {
      const example = operation.requestBody?.content["application/json"]?.example;
      expect(example).toBeDefined();
      expect(route.body?.safeParse(example).error).toBeUndefined();
    },
  );

  it("is valid by the JSON Schema of the description too, and every schema is one", () => {
    const ajv = new Ajv2020({ strict: false, validateFormats: false });
    ajv.addSchema({ $id: "openapi", ...document });
    const contents = operations.flatMap(({ name, route, operation }) => [
      ...Object.entries(operation.requestBody?.content ?? {}).map(([, content]) => ({
        name,
        content,
        place: `#/paths/${route.path.replaceAll("/", "~1").replaceAll("{", "%7B").replaceAll("}", "%7D")}/${route.method.toLowerCase()}/requestBody/content/application~1json/schema`,
      })),
      ...Object.entries(operation.responses).flatMap(([status, response]) =>
        Object.entries(response.content ?? {}).map(([type, content]) => ({
          name,
          content,
          place: `#/paths/${route.path.replaceAll("/", "~1").replaceAll("{", "%7B").replaceAll("}", "%7D")}/${route.method.toLowerCase()}/responses/${status}/content/${type.replace("/", "~1")}/schema`,
        })),
      ),
    ]);

    const wrong = contents.flatMap(({ name, content, place }) => {
      const validate = ajv.getSchema(`openapi${place}`);
      if (!validate) return [`${name}: no schema at ${place}`];
      if (content.example === undefined || validate(content.example)) return [];
      return [`${name}: ${ajv.errorsText(validate.errors)}`];
    });

    expect(contents.length).toBeGreaterThan(100);
    expect(wrong).toEqual([]);
  });
});

describe("a body that the description permits", () => {
  const ajv = new Ajv2020({ strict: false, validateFormats: false });
  ajv.addSchema({ $id: "openapi", ...document });
  const global = { promotionId: "p", type: "global" };
  const personalized = { promotionId: "p", type: "personalized" };
  const entries = (count: number) =>
    Object.fromEntries(Array.from({ length: count }, (_, at) => [`key${at}`, "x"]));

  it.each<[string, keyof typeof routes, unknown, boolean]>([
    [
      "2,000 emojis, which are 4,000 units",
      "createPromotion",
      { name: "a", description: "😀".repeat(2000) },
      true,
    ],
    ["2,001 emojis", "createPromotion", { name: "a", description: "😀".repeat(2001) }, false],
    [
      "a metadata key of 64 emojis",
      "createPromotion",
      { name: "a", metadata: { ["😀".repeat(64)]: "x" } },
      true,
    ],
    ["a metadata key of 65", "createPromotion", { name: "a", metadata: { ["k".repeat(65)]: "x" } }, false],
    ["a metadata key without a letter", "createPromotion", { name: "a", metadata: { "": "x" } }, false],
    [
      "a metadata value of 1,000 emojis",
      "createPromotion",
      { name: "a", metadata: { k: "😀".repeat(1000) } },
      true,
    ],
    ["51 metadata entries", "createPromotion", { name: "a", metadata: entries(51) }, false],
    ["a name with blanks and line breaks around it", "createPromotion", { name: " \n a\t" }, true],
    ["a name of 200 characters and blanks", "createPromotion", { name: ` ${"é".repeat(200)} ` }, true],
    ["a name of 201 characters", "createPromotion", { name: "é".repeat(201) }, false],
    ["a name of blanks", "createPromotion", { name: "  " }, false],
    ["a name with a line break inside", "createPromotion", { name: "a\nb" }, false],
    ["no change of a promotion", "updatePromotion", {}, false],
    ["a global promocode without a code", "createPromocode", global, false],
    ["a global promocode with settings", "createPromocode", { ...global, code: "x", uniqueCodes: {} }, false],
    ["a global promocode", "createPromocode", { ...global, code: "x" }, true],
    ["a personalized promocode with a code", "createPromocode", { ...personalized, code: "x" }, false],
    ["a personalized promocode", "createPromocode", { ...personalized, uniqueCodes: {} }, true],
    ["no change of a promocode", "updatePromocode", { uniqueCodes: {} }, false],
  ])("is accepted, and one that it does not is refused: %s", (_, name, body, isBody) => {
    const route: Route = routes[name];
    const place = `#/paths/${route.path.replaceAll("/", "~1").replaceAll("{", "%7B").replaceAll("}", "%7D")}/${route.method.toLowerCase()}/requestBody/content/application~1json/schema`;

    expect(ajv.getSchema(`openapi${place}`)?.(body)).toBe(isBody);
    expect(route.body?.safeParse(body).success).toBe(isBody);
  });
});
