import type { APIGatewayRequestAuthorizerEvent } from "aws-lambda";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import type { DynamoDbEngine } from "../../local/dynamodb/engine.ts";
import { FunctionError } from "../../local/functions/function-error.ts";
import { type AuthorizerCall, authorizer } from "../../local/gateway/authorizer.ts";
import { engines } from "../support/engines.ts";
import { createTable } from "../support/table.ts";

const t0 = new Date("2026-11-23T09:00:00.000Z");
const secondsOn = (seconds: number) => new Date(t0.getTime() + seconds * 1000);

describe.each(engines)("API keys on $name", ({ start }) => {
  let engine: DynamoDbEngine;
  let apiKeys: typeof import("../../shared/storage/api-keys.ts");
  let client: typeof import("../../shared/storage/client.ts");
  let authorize: typeof import("../../functions/authorize-request/handler.ts").handler;
  beforeAll(async () => {
    engine = await start();
    await createTable(engine);
    apiKeys = await import("../../shared/storage/api-keys.ts");
    client = await import("../../shared/storage/client.ts");
    authorize = (await import("../../functions/authorize-request/handler.ts")).handler;
  });
  afterAll(() => engine.close());
  afterEach(() => void vi.useRealTimers());

  const aKey = (name = "crm") => apiKeys.createApiKey({ name, scopes: ["read"], now: t0 });

  it("are told once and stored as a hash", async () => {
    const { keyId, secret } = await aKey();
    const { Items } = await client.dynamoDb.send(
      new (await import("@aws-sdk/lib-dynamodb")).ScanCommand({ TableName: process.env.TABLE_NAME }),
    );

    expect(keyId).toMatch(/^key_[0-9A-HJKMNP-TV-Z]{26}$/);
    expect(secret).toMatch(/^cwk_[0-9A-HJKMNP-TV-Z]{26}_[A-Za-z0-9_-]{43}$/);
    expect(JSON.stringify(Items)).toContain(keyId);
    expect(JSON.stringify(Items)).not.toContain(secret.slice(-43));
  });

  it("are found by their secret, with name and scopes", async () => {
    const { keyId, secret } = await aKey("erp");

    expect(await apiKeys.findApiKey(secret, t0)).toMatchObject({ keyId, name: "erp", scopes: ["read"] });
  });

  it("are not found by anything else", async () => {
    const { secret } = await aKey();
    const other = await aKey();
    const altered = `${secret.slice(0, -1)}${secret.endsWith("A") ? "B" : "A"}`;
    const crossed = `${secret.slice(0, 31)}${other.secret.slice(31)}`;
    const presented = [altered, crossed, secret.toLowerCase(), ` ${secret}`, `${secret}x`, "", "cwk_", "*"];

    const found = await Promise.all(presented.map((key) => apiKeys.findApiKey(key, t0)));

    expect(found).toEqual(presented.map(() => undefined));
  });

  it("work on with the old secret for the grace of a rotation, and no longer", async () => {
    const { keyId, secret: first } = await aKey();

    const { secret: second } = await apiKeys.rotateApiKey(keyId, { graceSeconds: 60, now: t0 });

    expect(await apiKeys.findApiKey(second, t0)).toMatchObject({ keyId });
    expect(await apiKeys.findApiKey(first, secondsOn(59))).toMatchObject({ keyId });
    expect(await apiKeys.findApiKey(first, secondsOn(60))).toBeUndefined();
    expect(await apiKeys.findApiKey(second, secondsOn(60))).toMatchObject({ keyId });
  });

  it("end at once when rotated without grace", async () => {
    const { keyId, secret } = await aKey();

    await apiKeys.rotateApiKey(keyId, { graceSeconds: 0, now: t0 });

    expect(await apiKeys.findApiKey(secret, t0)).toBeUndefined();
  });

  it("keep every new secret when rotated twice at the same time", async () => {
    const { keyId } = await aKey();

    const rotated = await Promise.all(
      [1, 2].map(() => apiKeys.rotateApiKey(keyId, { graceSeconds: 60, now: t0 })),
    );

    const found = await Promise.all(rotated.map(({ secret }) => apiKeys.findApiKey(secret, t0)));
    expect(found.map((key) => key?.keyId)).toEqual([keyId, keyId]);
  });

  it("end with all their secrets when revoked, for good", async () => {
    const { keyId, secret: first } = await aKey();
    const { secret: second } = await apiKeys.rotateApiKey(keyId, { graceSeconds: 3_600, now: t0 });

    const revoked = await apiKeys.revokeApiKey(keyId, { now: secondsOn(1) });
    const again = await apiKeys.revokeApiKey(keyId, { now: secondsOn(2) });

    expect([revoked.revokedAt, again.revokedAt]).toEqual(Array(2).fill("2026-11-23T09:00:01.000Z"));
    expect(await apiKeys.findApiKey(first, secondsOn(1))).toBeUndefined();
    expect(await apiKeys.findApiKey(second, secondsOn(1))).toBeUndefined();
    await expect(apiKeys.rotateApiKey(keyId, { graceSeconds: 0, now: t0 })).rejects.toThrow("was revoked at");
  });

  it("that do not exist cannot be changed", async () => {
    await expect(apiKeys.rotateApiKey("key_none", { graceSeconds: 0, now: t0 })).rejects.toThrow(
      "There is no key key_none.",
    );
    await expect(apiKeys.revokeApiKey("key_none", { now: t0 })).rejects.toThrow("There is no key key_none.");
  });

  it("are listed without their hashes", async () => {
    await createTable(engine);
    const first = await aKey("first");
    const second = await apiKeys.createApiKey({ name: "second", scopes: ["admin"], now: secondsOn(1) });

    const listed = await apiKeys.listApiKeys();

    expect(listed.map(({ keyId, name }) => [keyId, name])).toEqual([
      [first.keyId, "first"],
      [second.keyId, "second"],
    ]);
    expect(JSON.stringify(listed)).not.toContain("hash");
  });

  describe("at the gateway", () => {
    const stage = "arn:aws:execute-api:eu-west-1:123456789012:abcdef/dev";
    const ask = (headers: Record<string, string[]>) =>
      authorize({
        methodArn: `${stage}/GET/v1/promotions`,
        headers: {},
        multiValueHeaders: headers,
      } as unknown as APIGatewayRequestAuthorizerEvent);

    it("are let through to what their scopes open, whatever the header's case", async () => {
      const { keyId, secret } = await apiKeys.createApiKey({
        name: "crm",
        scopes: ["read", "allocate"],
        now: t0,
      });

      const answer = await ask({ "x-Api-kEY": [secret] });

      expect(answer).toMatchObject({
        principalId: keyId,
        usageIdentifierKey: keyId,
        context: { keyId, scopes: "read allocate" },
      });
      const [statement] = answer.policyDocument.Statement as { Effect: string; Resource: string[] }[];
      expect(statement?.Effect).toBe("Allow");
      expect(statement?.Resource).toContain(`${stage}/POST/v1/promocodes/*/allocations`);
      expect(statement?.Resource).not.toContain(`${stage}/POST/v1/promotions`);
      expect(JSON.stringify(answer)).not.toContain(secret);
    });

    it("are refused when unknown, missing or sent twice", async () => {
      const { secret } = await aKey();

      await expect(ask({ "X-API-KEY": ["cwk_nonsense"] })).rejects.toThrow(/^Unauthorized$/);
      await expect(ask({})).rejects.toThrow(/^Unauthorized$/);
      await expect(ask({ "X-API-KEY": [secret, secret] })).rejects.toThrow(/^Unauthorized$/);
    });

    it("that are revoked get through for a minute more at most, as long as their policy is remembered", async () => {
      const { keyId, secret } = await aKey();
      const facts = {
        logicalId: "A",
        functionArn: "a",
        identityHeaders: ["x-api-key"],
        resultTtlSeconds: 60,
      };
      const methodArn = `${stage}/GET/v1/promotions`;
      const headers = { "X-API-KEY": secret };
      const call = { headers, multiValueHeaders: { "X-API-KEY": [secret] }, query: new URLSearchParams() };
      const input = { call, match: { method: {}, pathParameters: {} }, apiId: "a", stage: "dev", methodArn };
      const guard = authorizer((_, event) =>
        authorize(JSON.parse(event) as APIGatewayRequestAuthorizerEvent).catch((error: Error) => {
          throw new FunctionError(error.name, error.message);
        }),
      );
      const pass = () => guard(facts, input as unknown as AuthorizerCall);
      const start = Date.now();
      // Only what the gateway remembers goes by this clock; ExtendDB takes signatures of up to 15 minutes.
      vi.useFakeTimers({ now: start, toFake: ["Date"] });

      await expect(pass()).resolves.toMatchObject({ usageIdentifierKey: keyId });
      await apiKeys.revokeApiKey(keyId, { now: new Date() });
      vi.setSystemTime(start + 59_999);
      await expect(pass()).resolves.toMatchObject({ usageIdentifierKey: keyId });
      vi.setSystemTime(start + 60_000);
      await expect(pass()).rejects.toMatchObject({ type: "UNAUTHORIZED" });

      vi.useRealTimers();
    });

    it("are not called unknown when the table does not answer", async () => {
      const { secret } = await aKey();
      const table = process.env.TABLE_NAME;
      process.env.TABLE_NAME = "no-such-table";

      await expect(ask({ "X-API-KEY": [secret] })).rejects.not.toThrow(/Unauthorized/);

      process.env.TABLE_NAME = table;
    });
  });
});
