import fc from "fast-check";
import { beforeAll, describe, expect, inject, it, type TestContext } from "vitest";
import openApi from "../../openapi.json" with { type: "json" };
import { aWorld, type Keys, keysOf, sharedService, type World } from "./bad-input-world.ts";
import { Description, type Operation } from "./description.ts";
import { casesOf, type FuzzCase } from "./fuzz-case.ts";
import { sendOverWire, sendRawBytes, type WireAnswer } from "./wire.ts";

/** Of all operations together; `FUZZ_CASES=200000 npm run test:inputs` looks further. */
const wantedCases = Number(process.env.FUZZ_CASES || 10_000);
/** Another one makes other cases; the same one the same. */
const seed = Number(process.env.FUZZ_SEED || 1);

const names = Object.values(openApi.paths).flatMap((methods) =>
  Object.values(methods).map(({ operationId }) => operationId),
);
const casesEach = Math.ceil(wantedCases / (names.length + 2));

/** Refusals that a valid request can meet: of the state that things are in, not of the request. */
const stateRefusals: readonly number[] = [404, 409, 422];

// Several at once: while one waits for its answer, the next makes up its case.
describe.concurrent(`fuzzer (FUZZ_SEED=${seed})`, () => {
  const { apiUrl, apiKey, s3, dynamodb } = inject("endpoints");
  let description: Description;
  let world: World;
  let keys: Keys;
  beforeAll(async () => {
    const client = sharedService();
    keys = await keysOf(client.endpoints);
    description = await Description.served(apiUrl, [
      ...Object.values(keys),
      apiKey,
      s3.secretAccessKey,
      dynamodb.secretAccessKey,
    ]);
    world = await aWorld(client);
  });

  it.for(names)("%s", async (name, context) => {
    const operation = description.operation(name);

    const answers = await fuzz(context, casesOf(operation, description, world, keys), async (fuzzCase) => {
      const answer = await sendOverWire(apiUrl, fuzzCase.request);
      expect(complaintsAbout(description, operation, fuzzCase, answer)).toEqual([]);
      return answer.status;
    });

    // A fuzzer that nothing gets through to would find nothing.
    const accepted = Object.keys(answers).filter((status) => status.startsWith("2"));
    if (casesEach >= 50)
      expect(accepted, "give bad-input-world.ts what this operation is about").not.toEqual([]);
  });

  it("odd paths", async (context) => {
    await fuzz(context, oddRequests, async ({ method, path, withKey }) => {
      const headers = withKey ? { "X-API-KEY": apiKey } : {};
      const answer = await sendOverWire(apiUrl, { method, path, headers });
      expect(description.complaints(undefined, answer)).toEqual([]);
      expect(answer.status).toBeLessThan(500);
      return answer.status;
    });
  });

  it("raw bytes", async (context) => {
    await fuzz(context, rawRequests, async (bytes) => {
      const answer = await sendRawBytes(apiUrl, bytes);
      const statuses = [...answer.matchAll(/^HTTP\/1\.1 (\d+)/gm)].map(([, status]) => Number(status));
      expect(statuses.filter((status) => status >= 500)).toEqual([]);
      return statuses[0] ?? "hung up";
    });
  });

  it("knows every operation that the running service describes", () => {
    expect(description.operations.map(({ name }) => name).sort()).toEqual([...names].sort());
  });
});

describe("service behind the fuzzer", () => {
  it("is as healthy as it was", async () => {
    const { apiUrl } = inject("endpoints");

    const { status, text } = await sendOverWire(apiUrl, { method: "GET", path: "/health" });

    expect([status, JSON.parse(text).status]).toEqual([200, "ok"]);
  });
});

/** What is wrong with an answer, for whoever reads it beside the request that fast-check shows. */
const complaintsAbout = (
  description: Description,
  operation: Operation,
  { expected, customerIds, request }: FuzzCase,
  answer: WireAnswer,
): readonly string[] => {
  const { status, text } = answer;
  // What a method that is not described answers is no answer of this operation.
  const described = request.method === operation.method ? operation : undefined;
  const found = [...description.complaints(described, answer, customerIds)];
  if (answer.headers["cache-control"] !== "no-store" && request.path !== "/openapi.json" && status < 400)
    found.push("a success may be kept by a cache");
  const { code } = (text === "" ? {} : JSON.parse(text)) as { readonly code?: string };
  const isWanted =
    expected === "accepted"
      ? status < 300 || (stateRefusals.includes(status) && code !== "not-found") || breaksUnsaidRule(text)
      : status === expected.status && (text === "" || expected.codes.includes(code ?? ""));
  if (!isWanted) found.push(`answered ${status} ${text.slice(0, 600)}, expected ${JSON.stringify(expected)}`);
  return found;
};

/** Rules that JSON Schema has no words for; the description says them in prose. */
const unsaidRules = [
  '"message":"must be later than from"}]',
  '"errors":[{"pointer":"/metadata","message":"must have at most 4,000 characters as JSON"}]',
];
const breaksUnsaidRule = (text: string): boolean => unsaidRules.some((rule) => text.includes(rule));

type Answers = Record<string, number>;

/** Tries the cases one after the other; tells the report how many were answered well, and with what. */
const fuzz = async <Case>(
  { task }: TestContext,
  cases: fc.Arbitrary<Case>,
  statusOf: (fuzzCase: Case) => Promise<number | string>,
): Promise<Answers> => {
  const answers: Answers = {};
  const report = { cases: casesEach, answered: 0, answers };
  task.meta.fuzz = report;
  let hasFailed = false;
  await fc.assert(
    fc.asyncProperty(cases, async (fuzzCase) => {
      const status = await statusOf(fuzzCase).catch((error: unknown) => {
        hasFailed = true;
        throw error;
      });
      // After a failure fast-check looks for a smaller one: those are no further cases.
      if (hasFailed) return;
      report.answered += 1;
      answers[status] = (answers[status] ?? 0) + 1;
    }),
    { seed: seedOf(task.name), numRuns: casesEach },
  );
  return answers;
};

/** Each operation has its own, so that a route more or less changes no other's cases. */
const seedOf = (name: string): number =>
  [...name].reduce((hash, letter) => (Math.imul(hash, 31) + letter.charCodeAt(0)) | 0, seed);

const oddSegments = fc.oneof(
  fc.constantFrom(
    ..."v1 promotions promocodes customers exports files allocations health openapi.json .. . %2F %2f%2e%2e %00 % %zz %c0%af %ff %E2%82 %u0041 ; ~ * {promotionId} __proto__ constructor : @ ! ' [ ] \\ | ^".split(
      " ",
    ),
    "",
    "\u00e9",
    "\u00ff",
    "x".repeat(4_000),
  ),
  fc.string({ maxLength: 12 }).map((text) => text.replaceAll(/[^\x21-\x7e]|[?#]/g, "")),
);

const oddRequests = fc
  .record({
    // None that changes anything: chance may hit a path.
    method: fc.constantFrom("GET", "HEAD", "OPTIONS", "PUT", "TRACE", "PROPFIND", "LOCK"),
    segments: fc.array(oddSegments, { maxLength: 7 }),
    query: fc.constantFrom("", "", "?", "?&&&", "?=", "?%", "?%00=%00", "?limit=1&limit=2", "?a[]=1", "?#"),
    withKey: fc.boolean(),
  })
  .map(({ method, segments, query, withKey }) => ({
    method,
    path: `/${segments.join("/")}${query}`,
    withKey,
  }));

/** Almost HTTP, and less and less so. */
const rawRequests = fc
  .tuple(
    fc.constantFrom(
      "",
      "GET",
      "GET /health",
      "GET /health HTTP/1.1\r\n",
      "GET /health HTTP/9.9\r\nHost: x\r\n\r\n",
      "GET /health HTTP/1.1\r\nHost: x\r\nX-API-KEY: ",
      "POST /v1/promotions HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n",
      "POST /v1/promotions HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n",
      "POST /v1/promotions HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
      "POST /v1/promotions HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n",
      "\u0016\u0003\u0001",
      "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ),
    fc.uint8Array({ maxLength: 300 }),
  )
  .map(([start, bytes]) => Buffer.concat([Buffer.from(start, "latin1"), bytes]));
