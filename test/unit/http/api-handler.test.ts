import fc from "fast-check";
import { afterEach, describe, expect, it, vi } from "vitest";
import type { RouteName } from "../../../shared/contract/routes.ts";
import { routes } from "../../../shared/contract/routes.ts";
import { promocodeNotFound } from "../../../shared/domain/failures.ts";
import { accepted, created, ok } from "../../../shared/http/answer.ts";
import { type ApiHandler, apiHandler } from "../../../shared/http/api-handler.ts";
import { logger } from "../../../shared/http/logger.ts";
import {
  aLambdaContext,
  anApiEvent,
  type CallOptions,
  callApi,
  refusedApiCall,
} from "../../support/api-call.ts";

// Whether a change is on record is asked of real engines, in test/integration/audit.test.ts.
vi.mock("../../../shared/storage/audit-trail.ts", () => ({
  beginAudit: async () => "adt_1",
  endAudit: async () => {},
}));

const promotion = {
  promotionId: "prm_1",
  name: "Autumn sale",
  status: "draft",
  createdAt: "2026-11-23T09:00:00.000Z",
  updatedAt: "2026-11-23T09:00:00.000Z",
} as const;

const allocation = { ...(routes.allocateCode.answer.meta()?.example as object), repeated: false } as never;

const createPromotion = apiHandler(routes.createPromotion, ({ body }) =>
  created({ ...promotion, name: body.name }, `/v1/promotions/${promotion.promotionId}`),
);
const activatePromotion = apiHandler(routes.activatePromotion, () => ok(promotion));
const listPromotions = apiHandler(routes.listPromotions, ({ query }) =>
  ok({ items: [], nextCursor: JSON.stringify(query) }),
);
const failing = (error: unknown): ApiHandler =>
  apiHandler(routes.getPromocode, () => {
    throw error;
  });
const getPromocode: CallOptions = { path: { promocodeId: "pcd_1" } };

const post = (options: CallOptions) => callApi(createPromotion, "createPromotion", options);
const refusal = (options: CallOptions, handler = createPromotion, name: RouteName = "createPromotion") =>
  refusedApiCall(handler, name, options);

afterEach(() => vi.restoreAllMocks());

describe("a body", () => {
  it.each([
    "application/json",
    "Application/JSON",
    "application/json; charset=utf-8",
    'application/json;charset="UTF-8"',
    "application/vnd.acme.v1+json",
    "application/json; profile=x",
  ])("is read as %s", async (type) => {
    expect((await post({ body: { name: "x" }, headers: { "Content-Type": type } })).status).toBe(201);
  });

  it.each([
    "text/plain",
    "application/x-www-form-urlencoded",
    "application/json; charset=iso-8859-1",
    "application/jsonp",
    "json",
    "",
  ])("is refused as %j", async (type) => {
    const { status, body } = await refusal({ body: { name: "x" }, headers: { "Content-Type": type } });

    expect([status, body.code]).toEqual([415, "unsupported-media-type"]);
  });

  it.each([
    [["application/json", "text/plain"], 415],
    [["text/plain", "application/json"], 415],
    [["application/json", "application/json; charset=utf-8"], 201],
  ])("of the types %j is answered with %i", async (types, status) => {
    expect((await post({ body: { name: "x" }, headers: { "Content-Type": types } })).status).toBe(status);
  });

  it.each([
    ["cut off", '{"name":"x"'],
    ["not JSON", "name=x"],
    ["two values", '{"name":"x"}{}'],
    ["blanks only", "  "],
    ["with a comment", '{"name":"x"/**/}'],
    ["a bare NaN", "NaN"],
  ])("that is %s is malformed", async (_, body) => {
    const { status, body: problem } = await refusal({ body });

    expect([status, problem.code]).toEqual([400, "malformed-json"]);
  });

  it("that is missing is refused where one is needed", async () => {
    const { status, body } = await refusal({});

    expect([status, body.code]).toEqual([400, "invalid-request"]);
    expect(body.errors).toEqual([{ pointer: "", message: "is required" }]);
  });

  it("arrives in base64 too, with a byte order mark or without", async () => {
    const encoded = (text: string) => Buffer.from(text).toString("base64");

    const answers = await Promise.all(
      ['{"name":"größe 🎁"}', '\ufeff{"name":"größe 🎁"}'].map((text) =>
        post({ body: encoded(text), base64: true }),
      ),
    );

    expect(answers.map(({ body }) => body.name)).toEqual(["größe 🎁", "größe 🎁"]);
  });

  it("that is not UTF-8 is malformed, not guessed", async () => {
    const latin1 = Buffer.from('{"name":"größe"}', "latin1").toString("base64");

    const { status, body } = await refusal({ body: latin1, base64: true });

    expect([status, body.code]).toEqual([400, "malformed-json"]);
    expect(body.detail).toContain("UTF-8");
  });

  it("may have 1,000,000 bytes and not one more, counted in bytes", async () => {
    const padded = (bytes: number, letter: string) => {
      const frame = '{"name":"x"}';
      return `${letter.repeat((bytes - frame.length) / Buffer.byteLength(letter))}${frame}`;
    };

    expect((await post({ body: padded(1_000_000, " ") })).status).toBe(201);
    expect((await refusal({ body: padded(1_000_001, " ") })).body.code).toBe("body-too-large");
    expect((await refusal({ body: padded(1_000_012, "ß") })).status).toBe(413);
  });

  it("with unknown fields is refused, each by its JSON Pointer", async () => {
    const { status, body } = await refusal({ body: { name: "x", "a/b": 1, "c~d": 2 } });

    expect([status, body.code]).toEqual([400, "invalid-request"]);
    expect(body.errors).toEqual([
      { pointer: "/a~1b", message: "is not a known field" },
      { pointer: "/c~0d", message: "is not a known field" },
    ]);
  });

  it("is told every mistake at once, without its values", async () => {
    const { body } = await refusal({
      body: { promotionId: "no blanks allowed", description: 7, metadata: { "": "x", ok: "y", bad: 3 } },
    });

    expect(body.errors?.map(({ pointer }) => pointer).sort()).toEqual([
      "/description",
      "/metadata/",
      "/metadata/bad",
      "/name",
      "/promotionId",
    ]);
    expect(JSON.stringify(body)).not.toContain("no blanks allowed");
  });

  it("is not told more than 50 mistakes", async () => {
    const many = Object.fromEntries(Array.from({ length: 200 }, (_, index) => [`field-${index}`, 1]));

    expect((await refusal({ body: { name: "x", ...many } })).body.errors).toHaveLength(50);
  });

  it.each([
    ["at the top", '{"name":"x","__proto__":{"status":"active"}}'],
    ["in metadata, where any name goes", '{"name":"x","metadata":{"__proto__":"y"}}'],
    ["in escapes", '{"name":"x","metadata":{"\\u005f_proto__":"y"}}'],
    ["far down", `{"name":"x","a":${"[".repeat(1000)}{"__proto__":1}${"]".repeat(1000)}}`],
  ])("cannot reach a prototype %s", async (_, body) => {
    const { status, body: problem } = await refusal({ body });

    expect([status, problem.code]).toEqual([400, "invalid-request"]);
    expect(({} as Record<string, unknown>).status).toBeUndefined();
  });

  it("that is nested 200,000 deep is refused and harms nothing", async () => {
    const deep = `${"[".repeat(200_000)}"\\u0041"${"]".repeat(200_000)}`;

    expect((await refusal({ body: `{"name":${deep}}` })).body.code).toBe("invalid-request");
    expect((await refusal({ body: deep })).status).toBe(400);
  });

  it("takes the last of a field's repeats, as JSON.parse does", async () => {
    expect((await post({ body: '{"name":"first","name":"last"}' })).body.name).toBe("last");
  });

  it("is absent or {} where the route has none", async () => {
    const at = { path: { promotionId: "prm_1" } };
    const call = (options: CallOptions) =>
      callApi(activatePromotion, "activatePromotion", { ...at, ...options });

    expect((await call({})).status).toBe(200);
    expect((await call({ body: {} })).status).toBe(200);
    expect((await call({ headers: { "Content-Type": "text/plain" } })).status).toBe(200);
    expect((await call({ body: { status: "active" } })).body.code).toBe("invalid-request");
    expect((await call({ body: "{" })).body.code).toBe("malformed-json");
  });

  it("whatever it is, is answered and never a 5xx", async () => {
    const bodies = fc.oneof(
      fc.json(),
      fc.string(),
      fc.object().map((value) => JSON.stringify(value)),
    );
    await fc.assert(
      fc.asyncProperty(bodies, async (body) => {
        const { status } = await post({ body: body || " " });
        expect([201, 400]).toContain(status);
      }),
      { numRuns: 300 },
    );
  });
});

describe("a path parameter", () => {
  const echo = apiHandler(routes.getCustomerAllocations, ({ path }) => {
    seen = path.customerId;
    return ok({ items: [] });
  });
  let seen = "";
  const call = (customerId: string) =>
    callApi<{ code?: string; errors?: unknown }>(echo, "getCustomerAllocations", { path: { customerId } });

  it("is decoded exactly once", async () => {
    await call("100%2525");
    expect(seen).toBe("100%25");
    await call("a+b%20c%2Fd");
    expect(seen).toBe("a+b c/d");
  });

  it("comes through as the caller meant it, whatever it is", async () => {
    const customerIds = fc
      .string({ unit: "grapheme", minLength: 1, maxLength: 20 })
      .filter(
        (text) =>
          routes.getCustomerAllocations.pathParameters?.safeParse({ customerId: text }).success === true,
      );
    await fc.assert(
      fc.asyncProperty(customerIds, async (customerId) => {
        expect((await call(encodeURIComponent(customerId))).status).toBe(200);
        expect(seen).toBe(customerId);
      }),
      { numRuns: 200 },
    );
  });

  it.each(["%", "%zz", "%E4", "%C3%28", "%00", "x".repeat(129)])(
    "of %j is refused by its name",
    async (raw) => {
      const { status, body } = await call(raw);

      expect([status, body.code]).toEqual([400, "invalid-request"]);
      expect(body.errors).toEqual([{ pointer: "customerId", message: expect.any(String) }]);
    },
  );
});

describe("a query parameter", () => {
  const list = (query: Record<string, string | string[]>) =>
    callApi(listPromotions, "listPromotions", { query });

  it("is parsed, and has its default when absent", async () => {
    expect((await list({ limit: "7", status: "draft" })).body.nextCursor).toBe(
      '{"status":"draft","limit":7}',
    );
    expect((await list({})).body.nextCursor).toBe('{"limit":50}');
  });

  it.each([
    [{ limit: ["7", "8"] }, "limit", "must be given once"],
    [{ limit: ["7", "7"] }, "limit", "must be given once"],
    [{ Limit: "7" }, "Limit", "is not a parameter of this call"],
    [{ __proto__x: "1" }, "__proto__x", "is not a parameter of this call"],
    [{ limit: "many" }, "limit", "must be a whole number from 1 to 200"],
    [{ status: "gone" }, "status", expect.any(String)],
  ])("as in %j is refused by its name", async (query, pointer, message) => {
    const { status, body } = await list(query);

    expect([status, body.code]).toEqual([400, "invalid-request"]);
    expect(body.errors).toEqual([{ pointer, message }]);
  });

  it("is refused where the route has none", async () => {
    expect((await refusal({ body: { name: "x" }, query: { debug: "1" } })).body.errors).toEqual([
      { pointer: "debug", message: "is not a parameter of this call" },
    ]);
  });
});

describe("an Idempotency-Key", () => {
  const allocate = (repeated: boolean, seen: (key: string | undefined) => void = () => {}) =>
    apiHandler(routes.allocateCode, ({ idempotencyKey }) => {
      seen(idempotencyKey);
      const answer = { ...(allocation as object), repeated } as never;
      return repeated ? ok(answer) : created(answer);
    });
  const call = (handler: ApiHandler, headers: Record<string, string | string[]>) =>
    callApi(handler, "allocateCode", {
      path: { promocodeId: "pcd_1" },
      body: { customerId: "customer-42" },
      headers: { "Content-Type": "application/json", ...headers },
    });

  it("reaches the handler as it was sent, whatever the header's case", async () => {
    const seen: (string | undefined)[] = [];
    const handler = allocate(false, (key) => seen.push(key));

    await call(handler, { "idempotency-KEY": "a key, with blanks" });
    await call(handler, { "Idempotency-Key": ["twice", "twice"] });
    await call(handler, {});

    expect(seen).toEqual(["a key, with blanks", "twice", undefined]);
  });

  it.each([[["one", "other"]], [""], ["x".repeat(129)], ["größe"], ["tab\there"]])(
    "of %j is refused",
    async (key) => {
      const { status, body } = await call(allocate(false), { "Idempotency-Key": key });

      expect([status, body.code]).toEqual([400, "invalid-request"]);
    },
  );

  it("that an allocation has seen before is told in the answer's headers", async () => {
    const replayed = async (repeated: boolean, headers: Record<string, string>) =>
      (await call(allocate(repeated), headers)).headers["idempotent-replayed"];

    expect(await replayed(true, { "Idempotency-Key": "k" })).toBe("true");
    expect(await replayed(false, { "Idempotency-Key": "k" })).toBeUndefined();
    expect(await replayed(true, {})).toBeUndefined();
  });

  it("that a whole batch has seen before is told too", async () => {
    const batch = (repeats: readonly boolean[]) =>
      apiHandler(routes.allocateCodes, () =>
        ok({
          results: repeats.map((repeated) => ({ ...(allocation as object), repeated })) as never,
          summary: { pool: 0, repeated: 0, default: 0, failed: 0 },
        }),
      );
    const replayed = async (repeats: readonly boolean[]) =>
      (
        await callApi(batch(repeats), "allocateCodes", {
          path: { promocodeId: "pcd_1" },
          body: { allocations: [{ customerId: "c" }] },
          headers: { "Content-Type": "application/json", "Idempotency-Key": "k" },
        })
      ).headers["idempotent-replayed"];

    expect(await replayed([true, true])).toBe("true");
    expect(await replayed([true, false])).toBeUndefined();
  });
});

describe("a key's scopes", () => {
  it.each([
    ["admin", 201],
    ["read admin", 201],
    ["read", 403],
    ["allocate read", 403],
    ["", 403],
    ["administrator", 403],
  ])("of %j are answered %i by a route for admins", async (scopes, status) => {
    expect((await post({ body: { name: "x" }, scopes })).status).toBe(status);
  });

  it("let in to what they are for", async () => {
    expect((await callApi(listPromotions, "listPromotions", { scopes: "read" })).status).toBe(200);
  });

  it("are checked before anything of the call is read", async () => {
    const { status, body } = await refusal({ body: "{", scopes: "read" });

    expect([status, body.code]).toEqual([403, "forbidden"]);
    expect(body.detail).toContain("admin");
  });

  it("are refused when there is no authorizer", async () => {
    const event = anApiEvent("listPromotions");
    event.requestContext.authorizer = undefined as never;

    expect((await listPromotions(event, aLambdaContext())).statusCode).toBe(403);
  });

  it("are not needed where no key is", async () => {
    const health = apiHandler(routes.reportHealth, ({ keyId, now }) =>
      ok({ status: "ok", version: keyId, time: now.toISOString() }),
    );
    const event = anApiEvent("reportHealth");
    event.requestContext.authorizer = undefined as never;

    const { statusCode, body } = await health(event, aLambdaContext());

    expect([statusCode, JSON.parse(body).version]).toEqual([200, "anonymous"]);
  });
});

describe("an answer", () => {
  it("is JSON that nobody keeps, with the request's id", async () => {
    const { headers } = await post({ body: { name: "x" }, requestId: "request-1" });

    expect(headers).toEqual({
      "content-type": "application/json",
      "cache-control": "no-store",
      "x-request-id": "request-1",
      location: "/dev/v1/promotions/prm_1",
    });
  });

  it("says where things are, below the stage or a domain's base path", async () => {
    const locationAt = async (path: string) => {
      const event = anApiEvent("createPromotion", { body: { name: "x" } });
      event.requestContext.path = path;
      return (await createPromotion(event, aLambdaContext())).headers?.Location;
    };

    expect(await locationAt("/prod/v1/promotions")).toBe("/prod/v1/promotions/prm_1");
    expect(await locationAt("/v1/promotions")).toBe("/v1/promotions/prm_1");
    expect(await locationAt("/codes/api/v1/promotions/")).toBe("/codes/api/v1/promotions/prm_1");
  });

  it.each([
    ["has a field too many", () => created({ ...promotion, secret: "leaked" } as never)],
    ["lacks a field", () => created({ promotionId: "prm_1" } as never)],
    ["has a status that the route does not list", () => accepted(promotion)],
  ])("that %s never leaves the service", async (_, answer) => {
    const { status, body } = await refusal(
      { body: { name: "x" } },
      apiHandler(routes.createPromotion, answer),
    );

    expect([status, body.code]).toEqual([500, "internal-error"]);
    expect(JSON.stringify(body)).not.toContain("leaked");
  });
});

describe("an error", () => {
  it("that was expected is a problem with all that RFC 9457 names", async () => {
    const { status, headers, body } = await refusedApiCall(
      failing(promocodeNotFound("pcd_1")),
      "getPromocode",
      { ...getPromocode, requestId: "request-1" },
    );

    expect(status).toBe(404);
    expect(headers).toMatchObject({
      "content-type": "application/problem+json",
      "cache-control": "no-store",
      "x-request-id": "request-1",
    });
    expect(body).toEqual({
      type: "urn:codewell:problem:promocode-not-found",
      title: "No such promocode",
      status: 404,
      detail: promocodeNotFound("pcd_1").message,
      instance: "request-1",
      code: "promocode-not-found",
    });
  });

  it("that was not is told to nobody but the log", async () => {
    const log = vi.spyOn(logger, "error");
    const error = Object.assign(new Error("password=hunter2", { cause: new Error("deeper") }), {
      Item: { customerId: "customer-42" },
    });

    const { status, body } = await refusedApiCall(failing(error), "getPromocode", getPromocode);

    expect([status, body.code]).toEqual([500, "internal-error"]);
    expect(JSON.stringify(body)).not.toMatch(/hunter2|handler|\.ts/);
    const logged = JSON.stringify(log.mock.calls);
    expect(logged).toContain("hunter2");
    expect(logged).toContain("deeper");
    expect(logged).toContain("api-handler.test.ts");
    expect(logged).not.toContain("customer-42");
  });

  it("that is no Error at all is a 500 too", async () => {
    expect((await refusedApiCall(failing("a string"), "getPromocode", getPromocode)).status).toBe(500);
    expect((await refusedApiCall(failing(null), "getPromocode", getPromocode)).status).toBe(500);
  });

  it.each([
    { name: "ThrottlingException" },
    { name: "ProvisionedThroughputExceededException" },
    { name: "TimeoutError" },
    { name: "SomeServerException", $metadata: { httpStatusCode: 503 } },
    { name: "Error", code: "ECONNREFUSED" },
    {
      name: "TransactionCanceledException",
      CancellationReasons: [{ Code: "None" }, { Code: "TransactionConflict" }],
    },
  ])("of a table that is busy, such as %j, is 503 with Retry-After", async (properties) => {
    const error = Object.assign(new Error("busy"), properties);

    const { status, headers, body } = await refusedApiCall(failing(error), "getPromocode", getPromocode);

    expect([status, body.code, headers["retry-after"]]).toEqual([503, "unavailable", "1"]);
  });

  it("of a function that runs out of time is 503 before the gateway gives up", async () => {
    const slow = apiHandler(routes.getPromocode, () => new Promise<never>(() => {}));
    const context = Object.assign(aLambdaContext(), { getRemainingTimeInMillis: () => 300 });

    const { statusCode, body } = await slow(anApiEvent("getPromocode", getPromocode), context);

    expect([statusCode, JSON.parse(body).code]).toEqual([503, "unavailable"]);
  });
});

describe("the log", () => {
  it("holds one line per answer, without path, body or customer", async () => {
    const lines = vi.spyOn(logger, "info");
    const handler = apiHandler(routes.allocateCode, () => created(allocation));

    await callApi(handler, "allocateCode", {
      path: { promocodeId: "pcd_1" },
      body: { customerId: "customer-42" },
      requestId: "request-1",
    });
    await refusedApiCall(handler, "allocateCode", {
      path: { promocodeId: "pcd_1" },
      body: { customerId: "customer-42", extra: 1 },
    });

    expect(lines.mock.calls).toEqual([
      [
        "answered",
        {
          route: "POST /v1/promocodes/{promocodeId}/allocations",
          status: 201,
          durationMs: expect.any(Number),
          requestId: "request-1",
          keyId: expect.stringMatching(/^key_/),
        },
      ],
      ["refused", expect.objectContaining({ status: 400, code: "invalid-request" })],
    ]);
    expect(JSON.stringify(lines.mock.calls)).not.toMatch(/customer-42|pcd_1|SAVE-/);
  });
});
