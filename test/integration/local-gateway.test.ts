import { get } from "node:http";
import { connect } from "node:net";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { FunctionError } from "../../local/functions/function-error.ts";
import { type Gateway, startGateway } from "../../local/gateway/gateway.ts";
import type { ApiFacts } from "../../local/template/facts.ts";
import { readTemplate } from "../../local/template/read-template.ts";

const { api } = readTemplate({
  directory: fileURLToPath(new URL("../support/local-fixture", import.meta.url)),
  region: "us-east-1",
  queueEndpoint: "http://127.0.0.1:1",
});

interface ProxyEvent {
  readonly [field: string]: unknown;
  readonly requestContext: { readonly [field: string]: unknown };
}

let gateway: Gateway;
/** What functions were called, in order. */
let calls: { arn: string; event: ProxyEvent }[] = [];
let answerOf: (event: ProxyEvent) => unknown;
let authorizerAnswerOf: () => unknown;

const allow = (resource: string, key = "key-1") => ({
  principalId: "anna",
  usageIdentifierKey: key,
  context: { level: 3, active: true },
  policyDocument: { Statement: [{ Effect: "Allow", Action: "execute-api:Invoke", Resource: resource }] },
});

async function start(facts: ApiFacts): Promise<Gateway> {
  return startGateway({
    facts,
    region: "us-east-1",
    port: 0,
    invoke: async (arn, text) => {
      const event = JSON.parse(text) as ProxyEvent;
      calls.push({ arn, event });
      return arn.endsWith("Authorize") ? authorizerAnswerOf() : answerOf(event);
    },
  });
}

const callsOf = (name: string) => calls.filter(({ arn }) => arn.endsWith(name));
const withKey = (key: string) => ({ headers: { "X-API-KEY": key } });

beforeAll(async () => {
  gateway = await start(api);
});
afterAll(() => gateway.close(0));
beforeEach(() => {
  calls = [];
  answerOf = () => ({ statusCode: 200, body: "{}" });
  authorizerAnswerOf = () => allow("arn:aws:execute-api:us-east-1:000000000000:local/local/GET/guarded/*");
});

describe("a request through the local gateway", () => {
  it("reaches the function of its path and method, with the query decoded and the path as it was sent", async () => {
    await fetch(`${gateway.url}/open/a%2Fb%2520c?q=x%20y&q=z&empty=`, { headers: { "X-Mark": "1" } });

    expect(callsOf("ApiFunction")[0]?.event).toMatchObject({
      resource: "/open/{name}",
      path: "/open/a%2Fb%2520c",
      httpMethod: "GET",
      pathParameters: { name: "a%2Fb%2520c" },
      queryStringParameters: { q: "z", empty: "" },
      multiValueQueryStringParameters: { q: ["x y", "z"], empty: [""] },
      stageVariables: null,
      body: null,
      isBase64Encoded: false,
      requestContext: { resourcePath: "/open/{name}", stage: "local", identity: { sourceIp: "127.0.0.1" } },
    });
    expect(JSON.stringify(calls[0]?.event.headers).toLowerCase()).toContain(`"x-mark":"1"`);
  });

  it("prefers a fixed part to a parameter, and a method to ANY", async () => {
    await fetch(`${gateway.url}/open/fixed`);
    await fetch(`${gateway.url}/open/other`, { method: "PUT" });
    await fetch(`${gateway.url}/open/other/`);

    expect(calls.map(({ event }) => [event.resource, event.httpMethod])).toEqual([
      ["/open/fixed", "GET"],
      ["/open/{name}", "PUT"],
      ["/open/{name}", "GET"],
    ]);
  });

  it("gives the body as text, and the answer's headers and cookies to the caller", async () => {
    answerOf = (event) => ({
      statusCode: 201,
      headers: { Location: "/open/1", "Content-Length": 3 },
      multiValueHeaders: { "Set-Cookie": ["a=1", "b=2"] },
      body: `got ${String(event.body)}`,
    });

    const answer = await fetch(`${gateway.url}/open/a`, { method: "POST", body: "grüße" });

    expect([answer.status, await answer.text()]).toEqual([201, "got grüße"]);
    expect(answer.headers.get("location")).toBe("/open/1");
    expect(answer.headers.getSetCookie()).toEqual(["a=1", "b=2"]);
    expect(answer.headers.get("content-type")).toBe("application/json");
    expect(answer.headers.get("x-amzn-remapped-content-length")).toBe("3");
  });

  it.each([
    ["an unknown path", "GET", "/nowhere", 404, "not-found"],
    ["an unknown method", "DELETE", "/slow", 404, "not-found"],
    ["a broken percent-encoding of the path", "GET", "/open/%zz", 400, "invalid-request"],
    ["a broken percent-encoding of the query", "GET", "/open/a?q=%zz", 400, "invalid-request"],
  ])("is refused in the template's words for %s", async (_, method, path, status, code) => {
    const answer = await fetch(gateway.url + path, { method });

    expect(answer.status).toBe(status);
    expect(answer.headers.get("content-type")).toBe("application/problem+json");
    expect(await answer.json()).toEqual({ code, status, instance: answer.headers.get("x-amzn-requestid") });
    expect(calls).toEqual([]);
  });

  it("is refused when its body has more than 10 MB, said or not", async () => {
    const body = Buffer.alloc(10 * 1024 * 1024 + 1, "x");

    const said = await fetch(`${gateway.url}/open/a`, { method: "POST", body });
    const streamed = await fetch(`${gateway.url}/open/a`, {
      method: "POST",
      body: new Blob([body]).stream(),
      duplex: "half",
    } as RequestInit);

    expect([said.status, streamed.status]).toEqual([413, 413]);
    expect(calls).toEqual([]);
  });
});

describe("bytes that are no request", () => {
  const sent = (text: string) =>
    new Promise<string>((resolve) => {
      let answer = "";
      const socket = connect(gateway.port, "127.0.0.1", () => socket.end(text, "latin1"));
      socket.on("data", (chunk) => {
        answer += chunk;
      });
      socket.on("close", () => resolve(answer));
    });

  it.each([
    ["no HTTP at all", "no http at all\r\n\r\n"],
    ["no host", "GET /open/a HTTP/1.1\r\nconnection: close\r\n\r\n"],
    ["a path in bytes that are not ASCII", "GET /open/\u00e9 HTTP/1.1\r\nhost: x\r\n\r\n"],
    ["two lengths", "POST /open/a HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab"],
    ["more headers than are read", `GET /open/a HTTP/1.1\r\nhost: x\r\nx: ${"x".repeat(70_000)}\r\n\r\n`],
  ])("are refused in the template's words: %s", async (_, text) => {
    const [head = "", body = ""] = (await sent(text)).split("\r\n\r\n");

    expect(head).toMatch(/^HTTP\/1\.1 400 .*content-type: application\/problem\+json/s);
    expect(JSON.parse(body)).toMatchObject({ code: "invalid-request", status: 400 });
    expect(calls).toEqual([]);
  });
});

describe("a function that does not answer as it should", () => {
  it.each([
    ["is no proxy answer", () => "text"],
    ["has no status", () => ({ body: "x" })],
    ["has a body that is no text", () => ({ statusCode: 200, body: { a: 1 } })],
  ])("is a 502 when the answer %s", async (_, answer) => {
    answerOf = answer;

    const response = await fetch(`${gateway.url}/open/a`);

    expect(response.status).toBe(502);
    expect(await response.json()).toEqual({ code: "INTEGRATION_FAILURE", message: "Internal server error" });
  });

  it("is a 502 when it throws, and nothing of the error is told", async () => {
    answerOf = () => Promise.reject(new FunctionError("TypeError", "a secret"));

    const response = await fetch(`${gateway.url}/open/a`);

    expect(response.status).toBe(502);
    expect(await response.text()).not.toContain("secret");
  });

  it("is a 504 after the integration's time limit", async () => {
    answerOf = () => new Promise(() => {});

    const response = await fetch(`${gateway.url}/slow`);

    expect(response.status).toBe(504);
    expect(await response.json()).toMatchObject({ code: "INTEGRATION_TIMEOUT" });
  });
});

describe("a guarded method", () => {
  let nextKey = 0;
  const freshKey = () => `test-${nextKey++}`;

  it("is refused without a key, and the authorizer is not even asked", async () => {
    const without = await fetch(`${gateway.url}/guarded/1`);
    const empty = await fetch(`${gateway.url}/guarded/1`, withKey(""));

    expect([without.status, empty.status]).toEqual([401, 401]);
    expect(calls).toEqual([]);
  });

  it("passes the authorizer's context on, as strings", async () => {
    const answer = await fetch(`${gateway.url}/guarded/1`, withKey(freshKey()));

    expect(answer.status).toBe(200);
    expect(callsOf("Authorize")[0]?.event).toMatchObject({
      type: "REQUEST",
      methodArn: "arn:aws:execute-api:us-east-1:000000000000:local/local/GET/guarded/1",
    });
    expect(callsOf("ApiFunction")[0]?.event.requestContext).toMatchObject({
      authorizer: { principalId: "anna", level: "3", active: "true" },
    });
  });

  it("asks the authorizer once per key while its answer is fresh, and applies the policy to each method", async () => {
    const key = withKey(freshKey());

    const get = await fetch(`${gateway.url}/guarded/1`, key);
    const other = await fetch(`${gateway.url}/guarded/2`, key);
    const remove = await fetch(`${gateway.url}/guarded/1`, { ...key, method: "DELETE" });

    expect([get.status, other.status, remove.status]).toEqual([200, 200, 403]);
    expect(await remove.json()).toMatchObject({ code: "forbidden" });
    expect(callsOf("Authorize")).toHaveLength(1);
  });

  it("asks the authorizer each time when nothing is to be cached", async () => {
    const methods = api.methods.map((method) =>
      method.authorizer === undefined
        ? method
        : { ...method, authorizer: { ...method.authorizer, resultTtlSeconds: 0 } },
    );
    const uncached = await start({ ...api, methods });
    const key = withKey(freshKey());

    await fetch(`${uncached.url}/guarded/1`, key);
    await fetch(`${uncached.url}/guarded/1`, key);

    expect(callsOf("Authorize")).toHaveLength(2);
    await uncached.close(0);
  });

  it("asks the authorizer anew when a known key comes with a second one", async () => {
    const key = freshKey();
    const pair = (one: string, two: string) =>
      new Promise<number | undefined>((resolve, reject) => {
        get(`${gateway.url}/guarded/1`, { headers: { "X-API-KEY": [one, two] } }, (response) => {
          response.resume();
          resolve(response.statusCode);
        }).on("error", reject);
      });

    const alone = await fetch(`${gateway.url}/guarded/1`, withKey(key));
    authorizerAnswerOf = () => Promise.reject(new FunctionError("Error", "Unauthorized"));
    const both = [await pair("garbage", key), await pair(key, "garbage")];

    expect([alone.status, ...both]).toEqual([200, 401, 401]);
  });

  it("is refused when a statement denies what another allows", async () => {
    authorizerAnswerOf = () => ({
      principalId: "anna",
      usageIdentifierKey: "k",
      policyDocument: {
        Statement: [
          { Effect: "Allow", Action: "*", Resource: "*" },
          { Effect: "Deny", Action: "execute-api:Invoke", Resource: ["*/GET/guarded/?"] },
        ],
      },
    });

    const denied = await fetch(`${gateway.url}/guarded/1`, withKey(freshKey()));

    expect(denied.status).toBe(403);
  });

  it.each([
    ["401 for an unknown key", new FunctionError("Error", "Unauthorized"), 401],
    ["500 for an authorizer that fails", new FunctionError("TypeError", "x is undefined"), 500],
  ])("answers %s, and does not remember it", async (_, error, status) => {
    const key = withKey(freshKey());
    authorizerAnswerOf = () => Promise.reject(error);

    const refused = await fetch(`${gateway.url}/guarded/1`, key);
    authorizerAnswerOf = () => allow("*");
    const accepted = await fetch(`${gateway.url}/guarded/1`, key);

    expect([refused.status, accepted.status]).toEqual([status, 200]);
  });

  it("is a 500 when the authorizer's answer is no policy", async () => {
    authorizerAnswerOf = () => ({ principalId: "anna" });

    const answer = await fetch(`${gateway.url}/guarded/1`, withKey(freshKey()));

    expect(answer.status).toBe(500);
    expect(await answer.json()).toMatchObject({ code: "AUTHORIZER_CONFIGURATION_ERROR" });
  });

  it("is a 403 when the authorizer names no key for the usage plan", async () => {
    authorizerAnswerOf = () => ({ ...allow("*"), usageIdentifierKey: undefined });

    const answer = await fetch(`${gateway.url}/guarded/1`, withKey(freshKey()));

    expect(answer.status).toBe(403);
    expect(callsOf("ApiFunction")).toEqual([]);
  });

  it("throttles a key that sends more than its bucket holds, and no other key", async () => {
    authorizerAnswerOf = () => allow("*", calls.at(-1)?.event.path === "/guarded/b" ? "b" : "a");
    const [one, two] = [withKey(freshKey()), withKey(freshKey())];

    const statuses: number[] = [];
    for (let sent = 0; sent < 21; sent += 1)
      statuses.push((await fetch(`${gateway.url}/guarded/a`, one)).status);
    const throttled = await fetch(`${gateway.url}/guarded/a`, one);
    const other = await fetch(`${gateway.url}/guarded/b`, two);

    expect(statuses.filter((status) => status === 200)).toHaveLength(20);
    expect([throttled.status, throttled.headers.get("retry-after")]).toEqual([429, "1"]);
    expect(other.status).toBe(200);
  });
});

describe("the local gateway under strain", () => {
  it("serves a thousand connections at once", async () => {
    answerOf = async () => {
      await new Promise((resolve) => setTimeout(resolve, 50));
      return { statusCode: 200, body: "{}" };
    };
    const { Agent, request } = await import("node:http");
    const agent = new Agent({ maxSockets: 1_000, keepAlive: true });
    const one = () =>
      new Promise<number>((resolve, reject) => {
        request(`${gateway.url}/open/a`, { agent }, (response) => {
          response.resume();
          response.on("end", () => resolve(response.statusCode ?? 0));
        })
          .on("error", reject)
          .end();
      });

    const statuses = await Promise.all(Array.from({ length: 1_000 }, one));

    expect(new Set(statuses)).toEqual(new Set([200]));
    agent.destroy();
  });

  it("survives callers who hang up at every stage", async () => {
    answerOf = () => new Promise((resolve) => setTimeout(resolve, 20, { statusCode: 200, body: "{}" }));
    const partial = [
      "GET /open/a HTTP/1.1\r\n",
      "POST /open/a HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\nhalf",
      "GET /open/a HTTP/1.1\r\nhost: x\r\n\r\n",
      "no http at all\r\n\r\n",
    ];
    for (const text of partial) {
      const socket = connect(gateway.port, "127.0.0.1");
      socket.on("error", () => {});
      socket.write(text);
      await new Promise((resolve) => setTimeout(resolve, 10));
      socket.destroy();
    }

    const answer = await fetch(`${gateway.url}/open/a`);

    expect(answer.status).toBe(200);
  });

  it("lets requests in flight finish when it closes", async () => {
    const own = await start(api);
    let answerNow: (answer: unknown) => void = () => {};
    const answer = new Promise((resolve) => {
      answerNow = resolve;
    });
    const arrived = new Promise<void>((resolve) => {
      answerOf = () => {
        resolve();
        return answer;
      };
    });

    const pending = fetch(`${own.url}/open/a`);
    await arrived;
    // Far longer than this test may take: the last answer ends the waiting, not the grace.
    const closing = own.close(600_000);
    answerNow({ statusCode: 200, body: "done" });

    expect(await (await pending).text()).toBe("done");
    await closing;
  });

  it("says what to do when its port is taken", async () => {
    await expect(
      startGateway({ facts: api, region: "us-east-1", port: gateway.port, invoke: async () => null }),
    ).rejects.toThrow(/Port \d+ is taken. Choose another: PORT=/);
  });
});
