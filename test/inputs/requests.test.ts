import { beforeAll, describe, expect, inject, it } from "vitest";
import { type Ids, type Keys, keysOf, sharedService } from "./bad-input-world.ts";
import { Description, type Operation } from "./description.ts";
import { lines, secretCodes } from "./file-contents.ts";
import { sendOverWire, sendRawBytes, type WireAnswer, type WireRequest } from "./wire.ts";

const { apiUrl, apiKey, s3, dynamodb } = inject("endpoints");

let description: Description;
let keys: Keys;
/** A promocode with codes, in an active promotion. */
let ids: Ids;
beforeAll(async () => {
  const client = sharedService();
  keys = await keysOf(client.endpoints);
  const secrets = [...Object.values(keys), s3.secretAccessKey, dynamodb.secretAccessKey];
  description = await Description.served(apiUrl, secrets);
  const { promocodeId, promotionId } = await client.promocode({ allocationMethod: "Varying" });
  const fileId = await client.upload(promocodeId, lines(secretCodes(500)));
  await client.loadedFiles(promocodeId, 1, 250_000);
  ids = { promocodeId, promotionId, fileId };
});

const json = { "Content-Type": "application/json" };

/** Sends with the admin's key; `{name}` in the path stands for the id of that name. */
const send = ({ headers, path, ...request }: WireRequest): Promise<WireAnswer> =>
  sendOverWire(apiUrl, {
    ...request,
    path: path.replaceAll(/\{(\w+)\}/g, (whole, name: string) => ids[name] ?? whole),
    headers: { "X-API-KEY": apiKey, ...headers },
  });

const codeOf = ({ text }: WireAnswer): string | undefined =>
  text === "" ? undefined : (JSON.parse(text) as { code?: string }).code;

/** The answer is this refusal, a problem as every refusal is, and tells nothing that it should not. */
const assertRefused = (
  answer: WireAnswer,
  status: number,
  code: string,
  customerIds: readonly string[] = [],
) => {
  expect({ status: answer.status, code: codeOf(answer), text: answer.text }).toMatchObject({ status, code });
  expect(description.complaints(undefined, answer, customerIds)).toEqual([]);
};

const allocations = "/v1/promocodes/{promocodeId}/allocations";
const ofBody = (body: string | Uint8Array, headers: WireRequest["headers"] = json): WireRequest => ({
  method: "POST",
  path: allocations,
  headers,
  body,
});
const nested = (depth: number, open: string, close: string) => `${open.repeat(depth)}1${close.repeat(depth)}`;

describe("body", () => {
  it.for<[name: string, body: string | Uint8Array, status: number, code: string]>([
    ["null", "null", 400, "invalid-request"],
    ["a list", "[]", 400, "invalid-request"],
    ["a string", '"x"', 400, "invalid-request"],
    ["a number", "42", 400, "invalid-request"],
    ["true", "true", 400, "invalid-request"],
    ["an empty object", "{}", 400, "invalid-request"],
    ["blanks only", " \n\t ", 400, "malformed-json"],
    ["cut off", '{"customerId": "ada', 400, "malformed-json"],
    ["two values", '{"customerId": "ada"}{"customerId": "bob"}', 400, "malformed-json"],
    ["single quotation marks", "{'customerId': 'ada'}", 400, "malformed-json"],
    ["a comment", '{"customerId": "ada" /* me */}', 400, "malformed-json"],
    ["a comma at the end", '{"customerId": "ada",}', 400, "malformed-json"],
    ["NaN", '{"customerId": NaN}', 400, "malformed-json"],
    ["XML", "<customerId>ada</customerId>", 400, "malformed-json"],
    ["a form", "customerId=ada", 400, "malformed-json"],
    ["a customer that is null", '{"customerId": null}', 400, "invalid-request"],
    ["a customer that is a number", '{"customerId": 42}', 400, "invalid-request"],
    ["a customer that is a list", '{"customerId": ["ada"]}', 400, "invalid-request"],
    ["a customer that is an object", '{"customerId": {"$ne": ""}}', 400, "invalid-request"],
    ["a customer without a character", '{"customerId": ""}', 400, "invalid-request"],
    ["a customer of 129 characters", `{"customerId": "${"x".repeat(129)}"}`, 400, "invalid-request"],
    ["a customer of 129 emojis", `{"customerId": "${"😀".repeat(129)}"}`, 400, "invalid-request"],
    ["a NUL in a customer", '{"customerId": "a\\u0000b"}', 400, "invalid-request"],
    ["a line break in a customer", '{"customerId": "a\\nb"}', 400, "invalid-request"],
    ["a control character of Latin-1", '{"customerId": "a\u0085b"}', 400, "invalid-request"],
    ["a lone surrogate, first half", '{"customerId": "\\ud800"}', 400, "invalid-request"],
    ["a lone surrogate, second half", '{"customerId": "a\\udc00b"}', 400, "invalid-request"],
    ["surrogates the wrong way round", '{"customerId": "\\udc00\\ud800"}', 400, "invalid-request"],
    ["a lone surrogate as a field", '{"customerId": "ada", "\\ud800": 1}', 400, "invalid-request"],
    ["a raw control character", '{"customerId": "a\u0007b"}', 400, "malformed-json"],
    ["an unknown field", '{"customerId": "ada", "customerName": "Ada"}', 400, "invalid-request"],
    ["a field in other letters", '{"customerID": "ada"}', 400, "invalid-request"],
    [
      "occurrenceId spelled as it should be",
      '{"customerId": "ada", "occurrenceId": "x"}',
      400,
      "invalid-request",
    ],
    ["__proto__", '{"customerId": "ada", "__proto__": {"actionId": "x"}}', 400, "invalid-request"],
    ["__proto__, escaped", '{"customerId": "ada", "\\u005f_proto__": {}}', 400, "invalid-request"],
    ["constructor", '{"customerId": "ada", "constructor": {"prototype": {}}}', 400, "invalid-request"],
    ["a huge number", `{"customerId": ${"9".repeat(400)}}`, 400, "invalid-request"],
    ["a huge exponent", '{"customerId": 1e999999}', 400, "invalid-request"],
    ["lists, 100,000 deep", `{"customerId": ${nested(100_000, "[", "]")}}`, 400, "invalid-request"],
    ["objects, 100,000 deep", `{"x": ${nested(100_000, '{"x":', "}")}}`, 400, "invalid-request"],
    ["lists that are never closed", "[".repeat(900_000), 400, "malformed-json"],
    [
      "100,000 unknown fields",
      `{${Array.from({ length: 50_000 }, (_, at) => `"f${at}":1`)}}`,
      400,
      "invalid-request",
    ],
    ["a field's name of 900,000 characters", `{"${"x".repeat(900_000)}": 1}`, 400, "invalid-request"],
    [
      "a byte order mark of UTF-16",
      Buffer.from('\ufeff{"customerId":"ada"}', "utf16le"),
      400,
      "malformed-json",
    ],
    ["UTF-16 without a mark", Buffer.from('{"customerId":"ada"}', "utf16le"), 400, "malformed-json"],
    ["bytes that are no UTF-8", Buffer.from('{"customerId":"a\u00ffb"}', "latin1"), 400, "malformed-json"],
    [
      "a letter in too many bytes",
      Buffer.from('{"customerId":"\u00c0\u00af"}', "latin1"),
      400,
      "malformed-json",
    ],
    [
      "a surrogate in UTF-8",
      Buffer.from('{"customerId":"\u00ed\u00a0\u0080"}', "latin1"),
      400,
      "malformed-json",
    ],
    ["half a letter", Buffer.from('{"customerId":"\u00c3"}', "latin1"), 400, "malformed-json"],
    ["NUL bytes", Buffer.alloc(1_000), 400, "malformed-json"],
    ["one byte more than 1 MB", `{"customerId": "${"x".repeat(1_000_000 - 17)}"}`, 413, "body-too-large"],
    [
      "blanks up to one byte more than 1 MB",
      `{"customerId": "ada"}${" ".repeat(999_980)}`,
      413,
      "body-too-large",
    ],
    ["7 MB, more than a function takes", "x".repeat(7_000_000), 413, "body-too-large"],
    ["11 MB, more than the gateway takes", "x".repeat(11 * 1024 * 1024), 413, "body-too-large"],
  ])("is refused: %s", async ([, body, status, code]) => {
    assertRefused(await send(ofBody(body)), status, code, ["ada, who is here"]);
  });

  it.for<[name: string, body: string | Uint8Array, customerId: string]>([
    ["of exactly 1 MB", `{"customerId": "exactly"}${" ".repeat(999_975)}`, "exactly"],
    ["with a byte order mark of UTF-8", '\ufeff{"customerId": "marked"}', "marked"],
    ["with a customer of one character", '{"customerId": "x"}', "x"],
    ["with a customer of 128 emojis", `{"customerId": "${"😀".repeat(128)}"}`, "😀".repeat(128)],
    ["with a pair of escaped surrogates", '{"customerId": "\\ud83d\\ude00"}', "😀"],
    ["with the replacement character, escaped", '{"customerId": "a\\ufffdb"}', "a\ufffdb"],
    ["with line separators of Unicode", '{"customerId": "a\u2028b\u2029c"}', "a\u2028b\u2029c"],
    ["with an accent of its own", '{"customerId": "e\u0301"}', "e\u0301"],
    ["with blanks that count", '{"customerId": "  ada  "}', "  ada  "],
    ["with a field twice: the last one counts", '{"customerId": "one", "customerId": "two"}', "two"],
    ["with a customer that is a property of every object", '{"customerId": "__proto__"}', "__proto__"],
  ])("is accepted %s", async ([, body, customerId]) => {
    const answer = await send(ofBody(body));

    expect([answer.status, JSON.parse(answer.text).customerId]).toEqual([201, customerId]);
    expect(description.complaints(description.operation("allocateCode"), answer)).toEqual([]);
  });

  it.for<[name: string, path: string, body: unknown]>([
    ["a batch of nobody", `${allocations}/batch`, { allocations: [] }],
    [
      "a batch of 1,001",
      `${allocations}/batch`,
      { allocations: Array.from({ length: 1_001 }, (_, at) => ({ customerId: `c${at}` })) },
    ],
    [
      "a batch with one bad entry",
      `${allocations}/batch`,
      { allocations: [{ customerId: "a" }, { customerId: "" }] },
    ],
    ["a batch that is an object", `${allocations}/batch`, { allocations: { 0: { customerId: "a" } } }],
    ["an id with a slash", "/v1/promotions", { name: "x", promotionId: "a/b" }],
    ["an id of 65 characters", "/v1/promotions", { name: "x", promotionId: "x".repeat(65) }],
    ["an archived status", "/v1/promotions", { name: "x", status: "archived" }],
    ["a name of blanks", "/v1/promotions", { name: " \u00a0 " }],
    ["metadata that is no text", "/v1/promotions", { name: "x", metadata: { a: 1 } }],
    ["metadata of 5,000 characters", "/v1/promotions", { name: "x", metadata: entries(5, 1_000) }],
    ["metadata with 51 entries", "/v1/promotions", { name: "x", metadata: entries(51, 1) }],
    ["a threshold below nothing", "/v1/promocodes", personalized({ lowPoolThreshold: -1 })],
    ["a threshold with a fraction", "/v1/promocodes", personalized({ lowPoolThreshold: 1.5 })],
    ["a threshold past all codes", "/v1/promocodes", personalized({ lowPoolThreshold: 1e300 })],
    ["a method in small letters", "/v1/promocodes", personalized({ allocationMethod: "consistent" })],
    [
      "a shared code with a blank before it",
      "/v1/promocodes",
      { promotionId: "x", type: "global", code: " A" },
    ],
    [
      "a shared code of 65 characters",
      "/v1/promocodes",
      { promotionId: "x", type: "global", code: "x".repeat(65) },
    ],
    ["a file's name that climbs", "/v1/promocodes/{promocodeId}/files", { fileName: "../x.csv" }],
    ["a file's name with a backslash", "/v1/promocodes/{promocodeId}/files", { fileName: "a\\x.csv" }],
    [
      "a file's name of 201 characters",
      "/v1/promocodes/{promocodeId}/files",
      { fileName: `${"x".repeat(197)}.csv` },
    ],
    ["a file's name with a line break", "/v1/promocodes/{promocodeId}/files", { fileName: "a\r\nb.csv" }],
    ["a file that is no CSV", "/v1/promocodes/{promocodeId}/files", { fileName: "codes.xlsx" }],
    [
      "an audience's mode that there is not",
      "/v1/promocodes/{promocodeId}/audiences",
      { fileName: "a.csv", mode: "dry" },
    ],
    [
      "a period backwards",
      "/v1/promocodes/{promocodeId}/exports",
      period("2026-02-01T00:00:00Z", "2026-01-01T00:00:00Z"),
    ],
    [
      "a period of nothing",
      "/v1/promocodes/{promocodeId}/exports",
      period("2026-01-01T00:00:00Z", "2026-01-01T01:00:00+01:00"),
    ],
    ["the year 275761", "/v1/promocodes/{promocodeId}/exports", { from: "+275761-01-01T00:00:00Z" }],
    ["the year 10000 in UTC", "/v1/promocodes/{promocodeId}/exports", { to: "9999-12-31T23:59:59-00:01" }],
    ["the year before 0 in UTC", "/v1/promocodes/{promocodeId}/exports", { to: "0000-01-01T00:00:00+00:01" }],
    ["a year of two digits", "/v1/promocodes/{promocodeId}/exports", { from: "26-01-01T00:00:00Z" }],
    ["the 30th of February", "/v1/promocodes/{promocodeId}/exports", { from: "2026-02-30T00:00:00Z" }],
    ["a time without an offset", "/v1/promocodes/{promocodeId}/exports", { from: "2026-01-01T00:00:00" }],
    ["a day without a time", "/v1/promocodes/{promocodeId}/exports", { from: "2026-01-01" }],
    ["seconds since 1970", "/v1/promocodes/{promocodeId}/exports", { from: 1_767_225_600 }],
    ["formulaSafe as text", "/v1/promocodes/{promocodeId}/exports", { formulaSafe: "true" }],
  ])("is refused: %s", async ([, path, body]) => {
    assertRefused(
      await send({ method: "POST", path, headers: json, body: JSON.stringify(body) }),
      400,
      "invalid-request",
    );
  });

  it.for(["0000-01-01T00:00:00Z", "2026-01-01T00:00:00.123456789+14:00", "9999-12-31T23:59:59.999999999Z"])(
    "may name any moment: %s",
    async (to) => {
      const { record } = await sharedService().exportOf(`/v1/promocodes/${ids.promocodeId}/exports`, { to });

      expect(record.status).toBe("succeeded");
    },
  );
});

const entries = (count: number, length: number) =>
  Object.fromEntries(Array.from({ length: count }, (_, at) => [`key${at}`, "x".repeat(length)]));
const period = (from: string, to: string) => ({ from, to });
const personalized = (uniqueCodes: object) => ({ promotionId: "x", type: "personalized", uniqueCodes });

describe("header", () => {
  const body = '{"customerId": "ada"}';

  it.for<[name: string, headers: WireRequest["headers"], status: number, code: string]>([
    ["no type", {}, 415, "unsupported-media-type"],
    ["an empty type", { "Content-Type": "" }, 415, "unsupported-media-type"],
    ["another type", { "Content-Type": "text/plain" }, 415, "unsupported-media-type"],
    ["a form's type", { "Content-Type": "application/x-www-form-urlencoded" }, 415, "unsupported-media-type"],
    [
      "another charset",
      { "Content-Type": "application/json; charset=utf-16" },
      415,
      "unsupported-media-type",
    ],
    ["two types", { "Content-Type": ["text/plain", "application/json"] }, 415, "unsupported-media-type"],
    [
      "two types, the other way round",
      { "Content-Type": ["application/json", "text/plain"] },
      415,
      "unsupported-media-type",
    ],
    ["an empty Idempotency-Key", { ...json, "Idempotency-Key": "" }, 400, "invalid-request"],
    ["an Idempotency-Key of 129", { ...json, "Idempotency-Key": "x".repeat(129) }, 400, "invalid-request"],
    [
      "an Idempotency-Key that is not ASCII",
      { ...json, "Idempotency-Key": "\u00e9" },
      400,
      "invalid-request",
    ],
    ["an Idempotency-Key with a tab", { ...json, "Idempotency-Key": "a\tb" }, 400, "invalid-request"],
    ["two Idempotency-Keys", { ...json, "Idempotency-Key": ["a", "b"] }, 400, "invalid-request"],
    ["two keys, the good one last", { ...json, "X-API-KEY": ["garbage", apiKey] }, 401, "unauthorized"],
    ["two keys, the good one first", { ...json, "X-API-KEY": [apiKey, "garbage"] }, 401, "unauthorized"],
    ["the same key twice", { ...json, "X-API-KEY": [apiKey, apiKey] }, 401, "unauthorized"],
    ["an empty key", { ...json, "X-API-KEY": "" }, 401, "unauthorized"],
    [
      "a key in the wrong header",
      { ...json, "X-API-KEY": [], Authorization: `Bearer ${apiKey}` },
      401,
      "unauthorized",
    ],
  ])("is refused: %s", async ([, headers, status, code]) => {
    assertRefused(await send(ofBody(body, headers)), status, code);
  });

  it.for<[name: string, headers: WireRequest["headers"]]>([
    ["an Idempotency-Key of 128", { ...json, "Idempotency-Key": "~".repeat(128) }],
    ["the same Idempotency-Key twice", { ...json, "Idempotency-Key": ["same", "same"] }],
    ["a type of somebody's own that is JSON", { "Content-Type": "application/vnd.x+json; charset=UTF-8" }],
    ["an Accept for something else", { ...json, Accept: "text/html" }],
    ["an encoding that it does not have", { ...json, "Accept-Encoding": "br" }],
    ["another host", { ...json, Host: "evil.example" }],
    ["addresses of others", { ...json, "X-Forwarded-For": "1.2.3.4, <script>" }],
    ["a method for something else", { ...json, "X-HTTP-Method-Override": "DELETE" }],
  ])("makes no difference: %s", async ([, headers]) => {
    const answer = await send(ofBody('{"customerId": "heads"}', headers));

    expect([200, 201]).toContain(answer.status);
    expect(description.complaints(description.operation("allocateCode"), answer)).toEqual([]);
  });

  it("is told of in the refusal when a request has an Idempotency-Key that was used for another one", async () => {
    const headers = { ...json, "Idempotency-Key": "used for two" };
    const create = (name: string) =>
      send({ method: "POST", path: "/v1/promotions", headers, body: JSON.stringify({ name }) });

    const first = await create("one");
    const again = await create("one");
    const other = await create("two");

    expect([first.status, again.status, again.headers["idempotent-replayed"]]).toEqual([201, 201, "true"]);
    expect(again.text).toBe(first.text);
    assertRefused(other, 422, "idempotency-key-reused");
  });
});

describe("path", () => {
  it.for<[name: string, path: string, status: number, code: string]>([
    ["nothing", "/", 404, "not-found"],
    ["a version that there is not", "/v2/promotions", 404, "not-found"],
    ["capitals", "/V1/Promotions", 404, "not-found"],
    ["two slashes", "/v1//promotions", 404, "not-found"],
    ["two slashes before all", "//v1/promotions", 404, "not-found"],
    ["steps up", "/v1/promotions/../promocodes", 404, "not-found"],
    ["steps up, out of the house", "/../../../etc/passwd", 404, "not-found"],
    ["an id that is empty", "/v1/promocodes//files", 404, "not-found"],
    ["a backslash", "/v1\\promotions", 404, "not-found"],
    ["another server's address", "http://evil.example/v1/promotions", 404, "not-found"],
    ["a NUL as id", "/v1/promotions/%00", 400, "invalid-request"],
    ["a NUL behind an id", "/v1/promotions/{promotionId}%00", 400, "invalid-request"],
    ["an encoded slash in an id", "/v1/promotions/a%2Fb", 400, "invalid-request"],
    ["encoded steps up as id", "/v1/promotions/%2e%2e", 400, "invalid-request"],
    ["steps and slashes, encoded", "/v1/promotions/..%2f..%2fpromocodes", 400, "invalid-request"],
    ["encoded twice", "/v1/promotions/%252e%252e", 400, "invalid-request"],
    ["an id of 65 characters", `/v1/promotions/${"x".repeat(65)}`, 400, "invalid-request"],
    ["an id that is not ASCII", "/v1/promotions/%C3%A9", 400, "invalid-request"],
    ["half an encoding", "/v1/promotions/%", 400, "invalid-request"],
    ["an encoding that is none", "/v1/promotions/%zz", 400, "invalid-request"],
    ["an encoding of half a letter", "/v1/promotions/%c3", 400, "invalid-request"],
    ["an encoding in too many bytes", "/v1/promotions/%c0%af", 400, "invalid-request"],
    ["an encoded surrogate", "/v1/customers/%ed%a0%80/allocations", 400, "invalid-request"],
    ["a customer with a NUL", "/v1/customers/a%00b/allocations", 400, "invalid-request"],
    ["a customer with a line break", "/v1/customers/a%0ab/allocations", 400, "invalid-request"],
    ["a customer of 129 characters", `/v1/customers/${"x".repeat(129)}/allocations`, 400, "invalid-request"],
    ["a code with a blank", "/v1/promocodes/{promocodeId}/codes/a%20b", 400, "invalid-request"],
    [
      "a code of 129 characters",
      `/v1/promocodes/{promocodeId}/codes/${"x".repeat(129)}`,
      400,
      "invalid-request",
    ],
    [
      "a file's id of another kind",
      "/v1/promocodes/{promocodeId}/files/{promocodeId}",
      400,
      "invalid-request",
    ],
    ["an export's id in small letters", "/v1/exports/exp_01ka5s9y1q3s5v7x9z1b3d5f7h", 400, "invalid-request"],
    ["a promotion that there is not", "/v1/promotions/prm_none", 404, "promotion-not-found"],
    ["a promocode that there is not", "/v1/promocodes/pcd_none", 404, "promocode-not-found"],
    ["a promotion of every object", "/v1/promotions/__proto__", 404, "promotion-not-found"],
    ["a promocode of every object", "/v1/promocodes/constructor", 404, "promocode-not-found"],
    ["a code that there is not", "/v1/promocodes/{promocodeId}/codes/SECRET-X", 404, "code-not-found"],
    [
      "a file that there is not",
      "/v1/promocodes/{promocodeId}/files/fil_01KA5S2H4N6P8R0T2V4X6Z8A0C",
      404,
      "code-file-not-found",
    ],
    ["an export that there is not", "/v1/exports/exp_01KA5S9Y1Q3S5V7X9Z1B3D5F7H", 404, "export-not-found"],
    [
      "an audience that there is not",
      "/v1/audiences/aud_01KA5S3C5E7G9J1M3P5R7T9V1X",
      404,
      "audience-not-found",
    ],
  ])("is refused: %s", async ([, path, status, code]) => {
    assertRefused(await send({ method: "GET", path }), status, code, ["a%00b"]);
  });

  it.for<[name: string, path: string]>([
    ["a slash at its end", "/v1/promotions/"],
    ["a question mark and nothing", "/v1/promotions?"],
    ["a customer with an encoded slash", "/v1/customers/a%2Fb/allocations"],
    ["a customer that is two dots", "/v1/customers/%2e%2e/allocations"],
    ["a customer of 128 emojis", `/v1/customers/${encodeURIComponent("😀".repeat(128))}/allocations`],
    ["a customer with line separators", "/v1/customers/a%E2%80%A8b/allocations"],
    ["a customer that is a property of every object", "/v1/customers/__proto__/allocations"],
  ])("is answered: %s", async ([, path]) => {
    const answer = await send({ method: "GET", path });

    expect(answer.status).toBe(200);
    expect(description.complaints(undefined, answer)).toEqual([]);
  });
});

describe("query", () => {
  const list = "/v1/promotions";

  it.for(
    "0 201 -1 1.5 1e3 abc 0x10 +5 %201 1%20 NaN Infinity 99999999999999999999 %D9%A3 1,2 null true %00".split(
      " ",
    ),
  )("is refused with a limit of %s", async (limit) => {
    assertRefused(await send({ method: "GET", path: `${list}?limit=${limit}` }), 400, "invalid-request");
  });

  it.for<[name: string, query: string]>([
    ["an empty limit", "limit="],
    ["a limit twice", "limit=1&limit=1"],
    ["a limit as a list", "limit[]=1"],
    ["an unknown parameter", "offset=10"],
    ["a parameter in capitals", "LIMIT=1"],
    ["a parameter without a name", "=1"],
    ["a parameter of every object", "__proto__=1"],
    ["a parameter of every object, as a path", "constructor[prototype]=1"],
    ["a status that there is not", "status=gone"],
    ["a status twice", "status=draft&status=active"],
    ["half an encoding", "limit=%"],
    ["an encoding of half a letter", "status=%ff"],
    ["a cursor of 2,049 characters", `cursor=${"x".repeat(2_049)}`],
  ])("is refused: %s", async ([, query]) => {
    assertRefused(await send({ method: "GET", path: `${list}?${query}` }), 400, "invalid-request");
  });

  it.for<[name: string, query: string]>([
    ["nobody", ""],
    ["a customer without a character", "?customerId="],
    ["two customers", "?customerId=a&customerId=b"],
    ["a customer with a NUL", "?customerId=a%00b"],
    ["a customer of 129 characters", `?customerId=${"x".repeat(129)}`],
    ["a customer that is an object", "?customerId[ne]=x"],
  ])("is refused when it asks for %s", async ([, query]) => {
    assertRefused(await send({ method: "GET", path: `${allocations}${query}` }), 400, "invalid-request");
  });

  it.for(["1", "200", "0050"])("is answered with a limit of %s", async (limit) => {
    expect((await send({ method: "GET", path: `${list}?limit=${limit}` })).status).toBe(200);
  });
});

describe("cursor", () => {
  /** A good one, of the list of promotions. */
  let cursor: string;
  beforeAll(async () => {
    for (const name of ["one", "two"])
      await send({ method: "POST", path: "/v1/promotions", headers: json, body: JSON.stringify({ name }) });
    const page = await send({ method: "GET", path: "/v1/promotions?limit=1" });
    cursor = (JSON.parse(page.text) as { nextCursor: string }).nextCursor;
  });

  it.for<[name: string, forge: (cursor: string) => string]>([
    ["cut short", (given) => given.slice(0, -1)],
    ["cut to its seal", (given) => given.slice(0, 21)],
    ["with a character more", (given) => `${given}A`],
    ["with another first character", (given) => `${given.startsWith("A") ? "B" : "A"}${given.slice(1)}`],
    [
      "with another position behind its seal",
      (given) => `${given.slice(0, 24)}${Buffer.from("prm_0").toString("base64url")}`,
    ],
    ["padded as base64", (given) => `${given}%3D`],
    ["with a blank behind it", (given) => `${given}%20`],
    ["empty", () => ""],
    ["one character", () => "A"],
    ["no base64", () => "%3Cscript%3E"],
    ["a key of the table", () => Buffer.from('{"pk":"PROMOTIONS","sk":"x"}').toString("base64url")],
    ["zeros", () => Buffer.alloc(40).toString("base64url")],
    ["letters of many kinds", () => "%E4%B8%AD%F0%9F%98%80"],
  ])("is refused: %s", async ([, forge]) => {
    assertRefused(
      await send({ method: "GET", path: `/v1/promotions?cursor=${forge(cursor)}` }),
      400,
      "invalid-cursor",
    );
  });

  it.for<[name: string, path: string]>([
    ["a list with a filter", "/v1/promotions?status=draft&"],
    ["the promocodes", "/v1/promocodes?"],
    ["a promocode's files", "/v1/promocodes/{promocodeId}/files?"],
    ["a promocode's audiences", "/v1/promocodes/{promocodeId}/audiences?"],
    ["what a customer holds", "/v1/customers/ada/allocations?"],
    ["what a customer holds of a promocode", `${allocations}?customerId=ada&`],
  ])("of another list is refused by %s", async ([, path]) => {
    assertRefused(await send({ method: "GET", path: `${path}cursor=${cursor}` }), 400, "invalid-cursor");
  });

  it("is good for its own list, whatever the limit", async () => {
    expect((await send({ method: "GET", path: `/v1/promotions?limit=2&cursor=${cursor}` })).status).toBe(200);
  });
});

describe("method", () => {
  it.for(["PUT", "TRACE", "OPTIONS", "HEAD", "PROPFIND", "DELETE", "PATCH"])(
    "%s is refused where it is not described, and told which are",
    async (method) => {
      const answer = await send({ method, path: "/v1/promotions" });

      expect(answer.status).toBe(405);
      expect(answer.headers.allow?.split(", ").sort()).toEqual(["GET", "POST"]);
      if (method !== "HEAD") assertRefused(answer, 405, "method-not-allowed");
    },
  );

  it.for(["GET", "POST"])("%s is refused where only the other one is described", async (method) => {
    const path = method === "GET" ? `${allocations}/batch` : "/health";

    assertRefused(await send({ method, path }), 405, "method-not-allowed");
  });
});

describe("bytes on the wire", () => {
  const head = (lines: string) =>
    `POST /v1/promotions HTTP/1.1\r\nHost: x\r\nX-API-KEY: ${apiKey}\r\n${lines}\r\n`;
  const statusesIn = (answer: string) =>
    [...answer.matchAll(/^HTTP\/1\.1 (\d+)/gm)].map(([, status]) => Number(status));

  it.for<[name: string, text: () => string, status: number]>([
    ["no HTTP", () => "hello\r\n\r\n", 400],
    ["TLS", () => "\u0016\u0003\u0001\u0002\u0000\u0001\u0000\u0001\u00fc\u0003\u0003", 400],
    ["HTTP/2", () => "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400],
    ["no host", () => "GET /health HTTP/1.1\r\n\r\n", 400],
    ["a method that there is not", () => "BREW /health HTTP/1.1\r\nHost: x\r\n\r\n", 400],
    ["a blank in the path", () => "GET /v1/promotions/a b HTTP/1.1\r\nHost: x\r\n\r\n", 400],
    ["a header without a name", () => "GET /health HTTP/1.1\r\nHost: x\r\n: x\r\n\r\n", 400],
    ["a NUL in a header", () => "GET /health HTTP/1.1\r\nHost: x\r\nX-API-KEY: a\u0000b\r\n\r\n", 400],
    ["70 KB of headers", () => `GET /health HTTP/1.1\r\nHost: x\r\nx: ${"x".repeat(70_000)}\r\n\r\n`, 400],
    ["a path of 70 KB", () => `GET /${"x".repeat(70_000)} HTTP/1.1\r\nHost: x\r\n\r\n`, 400],
    ["two lengths", () => `${head("Content-Length: 2\r\nContent-Length: 3\r\n")}{}`, 400],
    [
      "a length and chunks",
      () => `${head("Content-Length: 2\r\nTransfer-Encoding: chunked\r\n")}0\r\n\r\n`,
      400,
    ],
    ["a length below nothing", () => head("Content-Length: -1\r\n"), 400],
    ["a length that is no number", () => `${head("Content-Length: ten\r\n")}{}`, 400],
    [
      "a chunk whose size is no number",
      () => `${head("Transfer-Encoding: chunked\r\n")}zz\r\n{}\r\n0\r\n\r\n`,
      400,
    ],
  ])("are refused: %s", async ([, text, status]) => {
    const answer = await sendRawBytes(apiUrl, Buffer.from(text(), "latin1"));

    const [first] = statusesIn(answer);
    expect(first).toBe(status);
    expect(answer).toContain("application/problem+json");
    expect(answer).not.toContain(apiKey);
  });

  it("are refused when their length alone says that they are more than 10 MB", async () => {
    const headers = { ...json, "Content-Length": "11534336", Connection: "close" };

    const answer = await send({ method: "POST", path: "/v1/promotions", headers });

    assertRefused(answer, 413, "body-too-large");
  });

  it("are read in chunks as in one piece", async () => {
    const chunks = ['{"na', 'me": "in chu', 'nks"}'].map(
      (text) => `${text.length.toString(16)}\r\n${text}\r\n`,
    );

    const answer = await sendRawBytes(
      apiUrl,
      `${head("Content-Type: application/json\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n")}${chunks.join("")}0\r\n\r\n`,
      { waits: true },
    );

    expect(statusesIn(answer)).toEqual([201]);
    expect(answer).toContain('"name":"in chunks"');
  });

  it("that are fewer than their length says are no request, and nothing comes of them", async () => {
    const body = '{"name": "cut off on the wire"}';

    const answer = await sendRawBytes(
      apiUrl,
      head(`Content-Type: application/json\r\nContent-Length: ${body.length + 5}\r\n`) + body,
    );
    const all = await send({ method: "GET", path: "/v1/promotions?limit=200" });

    expect(statusesIn(answer).filter((status) => status < 400 || status >= 500)).toEqual([]);
    expect(all.text).not.toContain("cut off on the wire");
  });

  it("that are more than their length says are a request of their own, and refused", async () => {
    const body = '{"name": "on the wire"}';

    const answer = await sendRawBytes(
      apiUrl,
      `${head(`Content-Type: application/json\r\nContent-Length: ${body.length}\r\n`)}${body}GARBAGE\r\n\r\n`,
      { waits: true },
    );

    expect(statusesIn(answer).at(-1)).toBe(400);
  });

  it("leave the service as healthy as it was", async () => {
    expect((await send({ method: "GET", path: "/health" })).status).toBe(200);
  });
});

describe("key", () => {
  const operations = (): readonly Operation[] => description.operations.filter(({ needsKey }) => needsKey);
  const call = ({ method, path }: Operation, key: string | undefined): Promise<WireAnswer> =>
    sendOverWire(apiUrl, {
      method,
      // Refused before anything is looked for, so any id will do.
      path: path.replaceAll(/\{\w+\}/g, "x"),
      headers: key === undefined ? {} : { "X-API-KEY": key },
    });

  it.for<[name: string, key: () => string | undefined]>([
    ["missing", () => undefined],
    ["empty", () => ""],
    ["garbage", () => "garbage"],
    ["revoked", () => keys.revoked],
    ["cut short", () => apiKey.slice(0, -1)],
    ["too long", () => `${apiKey}A`],
    ["in capitals", () => apiKey.toUpperCase()],
    ["with another last character", () => `${apiKey.slice(0, -1)}${apiKey.endsWith("A") ? "B" : "A"}`],
    ["another key's id with this key's secret", () => keys.read.slice(0, 31) + apiKey.slice(31)],
    ["a bearer's", () => `Bearer ${apiKey}`],
    ["4,000 characters long", () => "x".repeat(4_000)],
    ["a pattern", () => "*"],
    ["not ASCII", () => "cwk_\u00e9\u00ff"],
  ])("%s: 401 on every route", async ([, key]) => {
    for (const operation of operations()) assertRefused(await call(operation, key()), 401, "unauthorized");
  });

  it.for(["read", "allocate"] as const)(
    "with the scope %s: 403 on every route that does not take it",
    async (scope) => {
      const closed = operations().filter(({ scopes }) => !scopes.includes(scope));

      for (const operation of closed) assertRefused(await call(operation, keys[scope]), 403, "forbidden");
      expect(closed.length).toBeGreaterThan(5);
    },
  );

  it.for(["read", "allocate"] as const)(
    "with the scope %s: let in on every route that takes it",
    async (scope) => {
      const open = operations().filter(({ scopes }) => scopes.includes(scope));

      for (const operation of open) {
        const answer = await call(operation, keys[scope]);
        expect([operation.name, answer.status]).not.toEqual([operation.name, 401]);
        expect([operation.name, answer.status]).not.toEqual([operation.name, 403]);
      }
      expect(open.length).toBeGreaterThan(5);
    },
  );

  it("is needed by every route but /health and /openapi.json", () => {
    const without = description.operations.filter(({ needsKey }) => !needsKey);

    expect(without.map(({ path }) => path).sort()).toEqual(["/health", "/openapi.json"]);
  });
});
