import fc from "fast-check";
import type { Ids, Keys, World } from "./bad-input-world.ts";
import type { Description, Operation, Parameter } from "./description.ts";
import { type Known, valuesOf } from "./schema-arbitrary.ts";
import type { WireRequest } from "./wire.ts";

/** A request and what must come of it. */
export interface FuzzCase {
  readonly kind: string;
  readonly request: WireRequest;
  /**
   * `accepted`: a success, or a refusal because of the state that things are in. Else the status that it must get, with
   * the codes of the problem.
   */
  readonly expected: "accepted" | { readonly status: number; readonly codes: readonly string[] };
  readonly customerIds: readonly string[];
}

/** A request before it is put together. */
interface Parts {
  readonly ids: Ids;
  readonly path: Readonly<Record<string, string>>;
  readonly query: Readonly<Record<string, string>>;
  readonly body: unknown;
  readonly idempotencyKey: string | undefined;
}

const refused = (status: number, ...codes: readonly string[]) => ({ status, codes });
const invalid = refused(400, "invalid-request");

/** Every kind of request of one operation: as described, and wrong in one thing at a time. */
export const casesOf = (
  operation: Operation,
  description: Description,
  world: World,
  keys: Keys,
): fc.Arbitrary<FuzzCase> => {
  const resolve = description.resolved.bind(description);
  const parts = partsOf(operation, description, world);
  const asDescribed = (given: Parts, change: Partial<WireRequest> = {}): FuzzCase =>
    caseOf("as described", operation, given, keys.admin, "accepted", change);
  const wrong = (
    kind: string,
    given: Parts,
    expected: FuzzCase["expected"],
    change: Partial<WireRequest> = {},
  ): FuzzCase => caseOf(kind, operation, given, keys.admin, expected, change);

  const kinds: { weight: number; arbitrary: fc.Arbitrary<FuzzCase> }[] = [
    { weight: 8, arbitrary: parts.map((given) => asDescribed(given)) },
    {
      weight: 1,
      arbitrary: fc
        .tuple(parts, fc.string({ minLength: 1, maxLength: 12 }))
        .map(([given, name]) =>
          wrong("unknown parameter", { ...given, query: { ...given.query, [`x${name}`]: "1" } }, invalid),
        ),
    },
    {
      weight: 1,
      arbitrary: fc
        .tuple(parts, fc.constantFrom("PUT", "OPTIONS", "TRACE", "HEAD", "DELETE", "POST", "PATCH", "GET"))
        .filter(([, method]) => !methodsAt(operation.path, description).includes(method))
        .map(([given, method]) =>
          // A body would be none of that method's business.
          wrong("other method", { ...given, body: undefined }, refused(405, "method-not-allowed"), {
            method,
          }),
        ),
    },
  ];

  if (operation.body) {
    const { body } = operation;
    kinds.push(
      {
        weight: 8,
        arbitrary: fc
          .tuple(parts, valuesOf(body, resolve), fc.nat(), mutations)
          .map(([given, fallback, place, mutation]) => {
            const mutated = mutation(structuredClone(given.body ?? fallback), place);
            const changed = { ...given, body: mutated };
            return operation.isBody(mutated)
              ? asDescribed(changed)
              : wrong("wrong body", changed, refused(400, "invalid-request"));
          }),
      },
      {
        weight: 1,
        arbitrary: fc.tuple(parts, fc.uint8Array({ minLength: 1, maxLength: 200 })).map(([given, bytes]) =>
          wrong("bytes as body", given, refused(400, "malformed-json", "invalid-request"), {
            body: bytes,
          }),
        ),
      },
      {
        weight: 1,
        arbitrary: fc.tuple(parts, fc.double({ min: 0.05, max: 0.95, noNaN: true })).map(([given, share]) => {
          const whole = jsonOf(given.body ?? {});
          const body = whole.slice(0, Math.max(1, Math.min(whole.length - 1, whole.length * share)));
          return wrong("torn body", given, refused(400, "malformed-json"), { body });
        }),
      },
      {
        weight: 1,
        arbitrary: fc
          .tuple(parts, fc.constantFrom(undefined, ...wrongTypes))
          .map(([given, type]) =>
            wrong(
              "wrong type",
              { ...given, body: given.body ?? {} },
              refused(415, "unsupported-media-type"),
              { headers: type === undefined ? {} : { "Content-Type": type } },
            ),
          ),
      },
    );
  } else {
    kinds.push({
      weight: 1,
      arbitrary: fc
        .tuple(parts, fc.jsonValue())
        .filter(([, body]) => JSON.stringify(body) !== "{}" && !JSON.stringify(body).includes("__proto__"))
        .map(([given, body]) => wrong("body where none belongs", { ...given, body }, invalid)),
    });
  }

  if (operation.needsKey)
    kinds.push(
      {
        weight: 1,
        arbitrary: fc
          .tuple(parts, fc.constantFrom(undefined, keys.revoked, ...forged(keys)))
          .map(([given, key]) =>
            caseOf("no valid key", operation, given, key, refused(401, "unauthorized"), {}),
          ),
      },
      ...(["read", "allocate"] as const)
        .filter((scope) => !operation.scopes.includes(scope))
        .map((scope) => ({
          weight: 1,
          arbitrary: parts.map((given) =>
            caseOf("out of scope", operation, given, keys[scope], refused(403, "forbidden"), {}),
          ),
        })),
    );

  if (operation.parameters.some(({ name }) => name === "Idempotency-Key"))
    kinds.push({
      weight: 1,
      arbitrary: fc
        .tuple(parts, fc.constantFrom("", "é", "x".repeat(129), "a\tb", ["one", "two"], "\u00ff".repeat(3)))
        .map(([given, key]) =>
          wrong("wrong Idempotency-Key", { ...given, idempotencyKey: undefined }, invalid, {
            headers: { "Idempotency-Key": key },
          }),
        ),
    });

  const inPath = operation.parameters.filter((parameter) => parameter.in === "path");
  if (inPath.length > 0)
    kinds.push({
      weight: 2,
      arbitrary: fc
        .tuple(parts, fc.constantFrom(...inPath), anyText)
        .filter(([, parameter, text]) => text !== "" && !operation.isParameter(parameter, text))
        .map(([given, parameter, text]) =>
          wrong("wrong path", { ...given, path: { ...given.path, [parameter.name]: text } }, invalid),
        ),
    });

  const inQuery = operation.parameters.filter((parameter) => parameter.in === "query");
  if (inQuery.length > 0)
    kinds.push({
      weight: 3,
      arbitrary: fc
        .tuple(parts, fc.constantFrom(...inQuery), fc.oneof(anyText, wrongNumbers))
        .filter(([, parameter, text]) => !isQuery(operation, parameter, text))
        .map(([given, parameter, text]) =>
          wrong(
            "wrong query",
            // Of something that is there: what is not is looked for before a cursor is opened.
            {
              ...given,
              path: { ...given.path, ...given.ids },
              query: { ...given.query, [parameter.name]: text },
            },
            refused(400, "invalid-request", "invalid-cursor"),
          ),
        ),
    });
  return fc.oneof(...kinds);
};

/** Values of all parts of a valid request. */
const partsOf = (operation: Operation, description: Description, world: World): fc.Arbitrary<Parts> => {
  return fc.constantFrom(...worldOf(operation, world)).chain((ids) => {
    const resolve = description.resolved.bind(description);
    const known: Known = (name, isRequired) => {
      const id = ids[name];
      // An optional id of the caller's own is to be new, mostly.
      return id === undefined || !isRequired ? undefined : fc.constant(id);
    };
    const textOf = (parameter: Parameter): fc.Arbitrary<string> => {
      const made = valuesOf(parameter.schema, resolve).map(String);
      const id = ids[parameter.name];
      if (id === undefined) return made;
      return fc.oneof({ weight: 6, arbitrary: fc.constant(id) }, { weight: 1, arbitrary: made });
    };
    const record = (place: "path" | "query") => {
      // A cursor is nothing that a caller makes.
      const all = operation.parameters.filter(({ in: at, name }) => at === place && name !== "cursor");
      return fc.record(Object.fromEntries(all.map((parameter) => [parameter.name, textOf(parameter)])), {
        requiredKeys: all.filter(({ required }) => required === true).map(({ name }) => name),
      });
    };
    const bodies = operation.body
      ? valuesOf(operation.body, resolve, known).filter((value) => operation.isBody(value))
      : fc.constant(undefined);
    return fc.record({
      ids: fc.constant(ids),
      path: record("path"),
      query: record("query"),
      body: operation.bodyRequired ? bodies : fc.option(bodies, { nil: undefined }),
      idempotencyKey: operation.parameters.some(({ name }) => name === "Idempotency-Key")
        ? fc.option(fc.stringMatching(/^[\x21-\x7e]{1,128}$/), { nil: undefined })
        : fc.constant(undefined),
    });
  });
};

/** What an operation may be tried on: one that ends something only on what nothing else needs. */
const worldOf = ({ method, name }: Operation, { kept, sacrificed }: World): readonly Ids[] => {
  if (method === "DELETE") return sacrificed.filter((_, at) => at % 2 === 0);
  // Not on what was archived: that is for good.
  return name.startsWith("deactivate") ? sacrificed.filter((_, at) => at % 2 === 1) : kept;
};

const caseOf = (
  kind: string,
  operation: Operation,
  { path, query, body, idempotencyKey }: Parts,
  key: string | undefined,
  expected: FuzzCase["expected"],
  change: Partial<WireRequest>,
): FuzzCase => {
  const filled = operation.path.replaceAll(/\{(\w+)\}/g, (_, name: string) => encoded(path[name] ?? ""));
  const search = Object.entries(query).map(([name, value]) => `${encoded(name)}=${encoded(value)}`);
  const headers = {
    ...(key !== undefined && { "X-API-KEY": key }),
    ...(idempotencyKey !== undefined && { "Idempotency-Key": idempotencyKey }),
    ...(kind !== "wrong type" && body !== undefined && { "Content-Type": "application/json" }),
    ...(kind === "bytes as body" && { "Content-Type": "application/json" }),
    ...(kind === "torn body" && { "Content-Type": "application/json" }),
    ...change.headers,
  };
  return {
    kind,
    request: {
      method: operation.method,
      path: search.length > 0 ? `${filled}?${search.join("&")}` : filled,
      ...(body !== undefined && { body: jsonOf(body) }),
      ...change,
      headers,
    },
    expected,
    customerIds: [path.customerId ?? "", query.customerId ?? "", ...customerIdsIn(body)],
  };
};

/** Dots alone are steps to a client that tidies paths; a lone surrogate has no UTF-8. */
const encoded = (text: string): string =>
  encodeURIComponent(Buffer.from(text).toString()).replace(/^\.{1,2}$/, (dots) =>
    dots.replaceAll(".", "%2E"),
  );

/** The replacement character is taken for a sign of broken bytes unless it is escaped. */
const jsonOf = (value: unknown): string => JSON.stringify(value).replaceAll("\ufffd", "\\ufffd");

const customerIdsIn = (value: unknown): readonly string[] => {
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([name, inner]) =>
    name === "customerId" && typeof inner === "string" ? [inner] : customerIdsIn(inner),
  );
};

const methodsAt = (path: string, { operations }: Description): readonly string[] =>
  operations.filter((operation) => operation.path === path).map(({ method }) => method);

const wrongTypes = [
  "text/plain",
  "text/json",
  "application/xml",
  "application/jsonx",
  "application/json; charset=utf-16",
  "application/json; charset=iso-8859-1",
  "application/x-www-form-urlencoded",
  "multipart/form-data; boundary=x",
  "json",
];

/** Like a key that there is, but another one. */
const forged = ({ admin }: Keys): readonly string[] => [
  "garbage",
  "cwk_",
  admin.slice(0, -1),
  `${admin}x`,
  admin.toUpperCase(),
  `${admin.slice(0, -1)}${admin.endsWith("A") ? "B" : "A"}`,
  "x".repeat(4_000),
  "Bearer x",
];

const anyText = fc.oneof(
  fc.string({ unit: "binary", maxLength: 200 }),
  fc.constantFrom(
    "\u0000",
    "a\u0000b",
    "x".repeat(129),
    "😀".repeat(129),
    "a\nb",
    "a\u0085b",
    "../../etc/passwd",
    "a/b",
    "%",
    "%2e%2e",
    "'; DROP TABLE x; --",
    "$" + "{jndi:ldap://x}",
    "<script>",
    "__proto__",
    "constructor",
    " ",
  ),
);

const wrongNumbers = fc.constantFrom(
  ..."0,-1,201,1.5,1e2,0x10,abc,NaN,Infinity, ,+5,٣,99999999999999999999,null,true,50 50".split(","),
);

/** A query's number is its text: only digits are one. */
const isQuery = (operation: Operation, parameter: Parameter, text: string): boolean => {
  if (parameter.name === "cursor") return false;
  const isNumber = parameter.schema.type === "integer";
  if (isNumber) return /^\d+$/.test(text) && operation.isParameter(parameter, Number(text));
  return operation.isParameter(parameter, text);
};

/** Makes a value wrong, or another one, in one place. */
type Mutation = (value: unknown, place: number) => unknown;

const nested = (depth: number): unknown => {
  let value: unknown = 1;
  for (let level = 0; level < depth; level++) value = level % 2 === 0 ? [value] : { inner: value };
  return value;
};

const replacements: fc.Arbitrary<unknown> = fc.oneof(
  fc.jsonValue({ maxDepth: 2 }).filter((value) => !JSON.stringify(value).includes("__proto__")),
  fc.constantFrom<unknown>(
    null,
    true,
    0,
    -1,
    1.5,
    1e308,
    2 ** 53,
    "",
    " ",
    [],
    {},
    [[]],
    "\u0000",
    "a\u0007b",
    "\ud800",
    "a\udc00",
    "x".repeat(65),
    "x".repeat(129),
    "x".repeat(5_000),
    "😀".repeat(128),
    "😀".repeat(129),
    "2026-02-30T00:00:00Z",
    "2026-01-01",
    "+275760-09-13T00:00:00Z",
    "../x.csv",
    nested(60),
  ),
);

const fieldNames = fc.constantFrom(
  "x",
  "",
  "constructor",
  "toString",
  "hasOwnProperty",
  "customerid",
  "occurrenceId",
  "id",
  "\ud800",
  "a/b~c",
  "x".repeat(300),
);

const mutations: fc.Arbitrary<Mutation> = fc.oneof(
  {
    weight: 6,
    arbitrary: replacements.map(
      (replacement): Mutation =>
        (value, place) =>
          changedAt(value, place, () => replacement),
    ),
  },
  {
    weight: 2,
    arbitrary: fieldNames.map(
      (name): Mutation =>
        (value, place) =>
          changedAt(value, place, (inner) => (isObject(inner) ? { ...inner, [name]: 1 } : { [name]: inner })),
    ),
  },
  {
    weight: 1,
    // As text of JSON can say it, and as no literal of a program does.
    arbitrary: fc.constant<Mutation>((value, place) =>
      changedAt(value, place, (inner) =>
        JSON.parse(`{"__proto__":${JSON.stringify(isObject(inner) ? {} : (inner ?? null))}}`),
      ),
    ),
  },
  {
    weight: 3,
    arbitrary: fc.constant<Mutation>((value, place) => {
      const holders = placesIn(value).filter(({ inner }) => isObject(inner) && Object.keys(inner).length > 0);
      const holder = holders[place % Math.max(1, holders.length)];
      if (!holder) return [];
      const fields = Object.entries(holder.inner as object);
      const left = fields.filter((_, at) => at !== place % fields.length);
      return replacedAt(value, holder.path, Object.fromEntries(left));
    }),
  },
);

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

interface Place {
  readonly path: readonly (string | number)[];
  readonly inner: unknown;
}

/** Every value inside of a value, itself too. */
const placesIn = (value: unknown, path: readonly (string | number)[] = []): readonly Place[] => {
  if (typeof value !== "object" || value === null) return [{ path, inner: value }];
  const entries = Array.isArray(value) ? [...value.entries()] : Object.entries(value);
  return [{ path, inner: value }, ...entries.flatMap(([key, inner]) => placesIn(inner, [...path, key]))];
};

const changedAt = (value: unknown, place: number, change: (inner: unknown) => unknown): unknown => {
  const places = placesIn(value);
  const { path, inner } = places[place % places.length]!;
  return replacedAt(value, path, change(inner));
};

const replacedAt = (value: unknown, path: readonly (string | number)[], replacement: unknown): unknown => {
  const [key, ...rest] = path;
  if (key === undefined) return replacement;
  const copy = (Array.isArray(value) ? [...value] : { ...(value as object) }) as Record<
    string | number,
    unknown
  >;
  copy[key] = replacedAt(copy[key], rest, replacement);
  return copy;
};
