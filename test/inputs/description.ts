import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import { sendOverWire, type WireAnswer } from "./wire.ts";

/** As much of a JSON Schema as values are made from. */
export interface Schema {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly Schema[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean | Schema;
  readonly propertyNames?: Schema;
  readonly minProperties?: number;
  readonly maxProperties?: number;
  readonly items?: Schema;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly pattern?: string;
  readonly format?: string;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
}

export interface Parameter {
  readonly name: string;
  readonly in: "path" | "query" | "header";
  readonly required?: boolean;
  readonly schema: Schema;
}

interface Content {
  readonly content?: Readonly<Record<string, { readonly schema: Schema }>>;
}

interface ResponseDescription extends Content {
  readonly description: string;
  readonly headers?: Readonly<Record<string, unknown>>;
}

interface OperationDescription {
  readonly operationId: string;
  readonly description: string;
  readonly security: readonly object[];
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: Content & { readonly required?: boolean };
  readonly responses: Readonly<Record<string, ResponseDescription>>;
}

interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, OperationDescription>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
}

/** One call that the service describes, with what its requests and answers must be. */
export interface Operation {
  readonly name: string;
  readonly method: string;
  readonly path: string;
  readonly needsKey: boolean;
  /** What a key must have one of; empty for a call without a key. */
  readonly scopes: readonly string[];
  readonly parameters: readonly Parameter[];
  readonly body: Schema | undefined;
  readonly bodyRequired: boolean;
  readonly isBody: (value: unknown) => boolean;
  readonly isParameter: (parameter: Parameter, value: unknown) => boolean;
  readonly responses: OperationDescription["responses"];
}

const documentId = "https://codewell.test/openapi.json";
const json = "application/json";
const problemJson = "application/problem+json";

/** RFC 3339, section 5.6. `Date.parse` takes the 30th of February for the 2nd of March. */
const isDateTime = (text: string): boolean => {
  const [, day = "", hour] =
    /^(\d{4}-\d\d-\d\d)T(\d\d):\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$/.exec(text) ?? [];
  if (hour === undefined || hour === "24" || Number.isNaN(Date.parse(text))) return false;
  return new Date(`${day}T00:00:00Z`).toISOString().startsWith(day);
};

/** What the running service says of itself at `/openapi.json`, and whether an answer keeps to it. */
export class Description {
  readonly operations: readonly Operation[];
  readonly #ajv = new Ajv2020({ strict: false, allErrors: true, unicodeRegExp: true });
  readonly #document: Document;
  readonly #secrets: readonly string[];
  readonly #validators = new Map<string, ValidateFunction>();

  /** `secrets` may stand in no answer. */
  static async served(apiUrl: string, secrets: readonly string[]): Promise<Description> {
    const { text } = await sendOverWire(apiUrl, { method: "GET", path: "/openapi.json" });
    return new Description(JSON.parse(text) as Document, secrets);
  }

  constructor(document: Document, secrets: readonly string[]) {
    this.#document = document;
    this.#secrets = secrets;
    this.#ajv.addFormat("date-time", isDateTime);
    this.#ajv.addFormat("uri", (text: string) => URL.canParse(text));
    this.#ajv.addSchema({ ...document, $id: documentId });
    this.operations = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => this.#read(path, method, operation)),
    );
  }

  operation(name: string): Operation {
    const found = this.operations.find((operation) => operation.name === name);
    if (!found) throw new Error(`The service describes no operation ${name}.`);
    return found;
  }

  /** The schema itself, or the one that it refers to. */
  resolved(schema: Schema): Schema {
    const name = schema.$ref?.split("/").at(-1);
    const found = name === undefined ? schema : this.#document.components.schemas[name];
    if (!found) throw new Error(`The description refers to ${schema.$ref}, which it does not hold.`);
    return found;
  }

  /**
   * What is wrong with an answer of this operation: nothing when its status, type, headers and body are described.
   * Without an operation only what every refusal promises is held against it. `customerIds` may stand in no problem.
   */
  complaints(
    operation: Operation | undefined,
    answer: WireAnswer,
    customerIds: readonly string[] = [],
  ): readonly string[] {
    const found = [...this.#leaks(answer)];
    if (answer.status >= 400) found.push(...this.#problemComplaints(answer, customerIds));
    if (!operation) return found;

    const response = operation.responses[String(answer.status)];
    if (!response) return [...found, `${answer.status} is not described for ${operation.name}`];
    const type = answer.headers["content-type"] ?? "";
    if (!(type in (response.content ?? {}))) return [...found, `${answer.status} has the type "${type}"`];
    for (const name of Object.keys(response.headers ?? {}))
      if (!isOptional(name) && answer.headers[name.toLowerCase()] === undefined)
        found.push(`${answer.status} lacks the header ${name}`);
    const validate = this.#validator([
      "paths",
      operation.path,
      operation.method.toLowerCase(),
      "responses",
      String(answer.status),
      "content",
      type,
      "schema",
    ]);
    const body = parsed(answer.text);
    if (!validate(body)) found.push(`the body does not match: ${this.#ajv.errorsText(validate.errors)}`);
    const { code } = (body ?? {}) as { readonly code?: unknown };
    if (answer.status >= 400 && !response.description.includes(`\`${String(code)}\``))
      found.push(`${answer.status} is not described with the code ${String(code)}`);
    return found;
  }

  *#leaks({ headers, text }: WireAnswer): Generator<string> {
    const all = `${JSON.stringify(headers)}\n${text}`;
    if (this.#secrets.some((secret) => all.includes(secret))) yield "a secret is told";
    if (headers["x-powered-by"] ?? headers.server) yield "the server tells what it is";
  }

  *#problemComplaints(answer: WireAnswer, customerIds: readonly string[]): Generator<string> {
    // A HEAD has no body, whatever its answer would have said.
    if (answer.text === "" && answer.headers["content-length"] !== "0") return;
    if (answer.headers["content-type"] !== problemJson)
      yield `a refusal has the type "${answer.headers["content-type"] ?? ""}"`;
    const problem = parsed(answer.text) as
      | { status?: unknown; code?: unknown; instance?: unknown }
      | undefined;
    const validate = this.#validator(["components", "schemas", "Problem"]);
    if (!validate(problem)) yield `the refusal is no problem: ${this.#ajv.errorsText(validate.errors)}`;
    if (problem?.status !== answer.status) yield `the problem says ${String(problem?.status)}`;
    if (problem?.instance === "") yield "the problem names no request";
    if (/\n\s+at |node_modules|\.m?[jt]s:\d+/.test(answer.text)) yield "the problem tells a stack";
    // A short id may be a word that the problem says anyway.
    const echoed = customerIds.filter((id) => id.length >= 8).map((id) => JSON.stringify(id).slice(1, -1));
    if (echoed.some((id) => answer.text.includes(id))) yield "the problem tells a customer id";
  }

  #read(path: string, method: string, operation: OperationDescription): Operation {
    const body = operation.requestBody?.content?.[json]?.schema;
    const at = ["paths", path, method] as const;
    const [, scopes = ""] = /Scope: (.*)\./.exec(operation.description) ?? [];
    return {
      name: operation.operationId,
      method: method.toUpperCase(),
      path,
      needsKey: operation.security.length > 0,
      scopes: [...scopes.matchAll(/`(\w+)`/g)].map(([, scope]) => scope ?? ""),
      parameters: operation.parameters ?? [],
      body,
      bodyRequired: operation.requestBody?.required === true,
      isBody: (value) => this.#validator([...at, "requestBody", "content", json, "schema"])(value) as boolean,
      isParameter: (parameter, value) =>
        this.#validator([
          ...at,
          "parameters",
          String((operation.parameters ?? []).indexOf(parameter)),
          "schema",
        ])(value) as boolean,
      responses: operation.responses,
    };
  }

  #validator(pointer: readonly string[]): ValidateFunction {
    const $ref = `${documentId}#/${pointer.map((part) => encodeURIComponent(part.replaceAll("~", "~0").replaceAll("/", "~1"))).join("/")}`;
    const known = this.#validators.get($ref) ?? this.#ajv.compile({ $ref });
    this.#validators.set($ref, known);
    return known;
  }
}

/** Says of an answer that it was given before: absent on the first one. */
const isOptional = (header: string): boolean => header === "Idempotent-Replayed";

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};
