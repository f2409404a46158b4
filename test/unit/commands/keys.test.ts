import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  APIGatewayClient,
  CreateApiKeyCommand,
  CreateUsagePlanKeyCommand,
  DeleteApiKeyCommand,
  GetApiKeysCommand,
} from "@aws-sdk/client-api-gateway";
import { GetCommand, PutCommand, QueryCommand, UpdateCommand } from "@aws-sdk/lib-dynamodb";
import { mockClient } from "aws-sdk-client-mock";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { help, parseKeysArguments } from "../../../commands/keys/arguments.ts";
import { findPlace, type Place } from "../../../commands/keys/place.ts";
import { runKeys } from "../../../commands/keys/run-keys.ts";
import { scopes } from "../../../shared/contract/route.ts";
import { dynamoDb } from "../../../shared/storage/client.ts";

process.env.TABLE_NAME = "table";
const now = new Date("2026-11-23T09:00:00.000Z");
const nowhere = { stage: undefined, table: undefined, region: undefined, usagePlan: undefined };

describe("the keys command", () => {
  it("understands each action", () => {
    const common = { place: nowhere, json: false };

    expect(parseKeysArguments(["create", "--name", " crm ", "--scopes", "read, allocate,read"])).toEqual({
      ...common,
      action: "create",
      name: "crm",
      scopes: ["read", "allocate"],
    });
    expect(parseKeysArguments(["list", "--json", "--stage", "dev"])).toEqual({
      action: "list",
      json: true,
      place: { ...nowhere, stage: "dev" },
    });
    expect(parseKeysArguments(["rotate", "key_1"])).toEqual({
      ...common,
      action: "rotate",
      keyId: "key_1",
      graceSeconds: 86_400,
    });
    expect(parseKeysArguments(["rotate", "key_1", "--grace", "30m"])).toMatchObject({ graceSeconds: 1_800 });
    expect(parseKeysArguments(["revoke", "key_1"])).toEqual({ ...common, action: "revoke", keyId: "key_1" });
  });

  it.each([[[]], [["help"]], [["--help"]], [["revoke", "-h"]]])("explains itself for %j", (given) => {
    expect(parseKeysArguments(given)).toBe("help");
    for (const scope of scopes) expect(help).toContain(scope);
  });

  it.each([
    [["create", "--scopes", "read"], "--name"],
    [["create", "--name", "crm"], "--scopes"],
    [["create", "--name", "crm", "--scopes", "read,write"], "admin,allocate,read"],
    [["create", "key_1", "--name", "crm", "--scopes", "read"], "takes no key_1"],
    [["rotate"], "rotate <keyId>"],
    [["rotate", "key_1", "--grace", "soon"], "24h"],
    [["revoke", "key_1", "key_2"], "one key at a time"],
    [["revoke", "cwk_01KA_secret"], "not a key's id"],
    [["destroy"], "no command destroy"],
    [["list", "--colour"], "--colour"],
  ])("refuses %j and says what is missing", (given, sentence) => {
    expect(() => parseKeysArguments(given)).toThrow(sentence);
  });
});

describe("the place of the keys", () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "keys-"));
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  it.each([
    [".local", {}],
    ["elsewhere", { directory: "elsewhere" }],
  ])(
    "is the service on this machine, with its data in %s",
    (folder, { directory: chosen }: { directory?: string }) => {
      mkdirSync(join(directory, folder));
      const dynamodb = {
        endpoint: "http://127.0.0.1:8000",
        region: "us-east-1",
        accessKeyId: "id",
        secretAccessKey: "secret",
        tableName: "local-table",
      };
      writeFileSync(join(directory, folder, "endpoints.json"), JSON.stringify({ apiUrl: "x", dynamodb }));

      const place = findPlace(
        { ...nowhere, directory: chosen && join(directory, chosen) },
        directory,
        "eu-west-1",
      );

      expect(place.usagePlan).toBeUndefined();
      expect(place.environment).toMatchObject({
        TABLE_NAME: "local-table",
        AWS_REGION: "us-east-1",
        AWS_ENDPOINT_URL_DYNAMODB: "http://127.0.0.1:8000",
        AWS_PROFILE: "",
      });
    },
  );

  it("is a stage, as its deployment said", () => {
    const outputs = {
      ApiUrl: "https://abc.execute-api.eu-west-1.amazonaws.com/dev",
      TableName: "stage-table",
      UsagePlanId: "plan1",
    };
    writeFileSync(join(directory, "cdk-outputs.json"), JSON.stringify({ "Codewell-dev": outputs }));

    expect(findPlace({ stage: "dev" }, directory, undefined)).toEqual({
      name: "stage dev",
      environment: { TABLE_NAME: "stage-table", AWS_REGION: "eu-west-1" },
      usagePlan: { usagePlanId: "plan1", region: "eu-west-1" },
      queuePrefix: "Codewell-dev-",
    });
    expect(() => findPlace({ stage: "prod" }, directory, undefined)).toThrow("no stage prod");
  });

  it("is any table that is named with its region and usage plan", () => {
    const place = findPlace({ table: "t", usagePlan: "p" }, directory, "eu-west-1");

    expect(place).toMatchObject({ environment: { TABLE_NAME: "t", AWS_REGION: "eu-west-1" } });
    expect(() => findPlace({ table: "t", usagePlan: "p" }, directory, undefined)).toThrow("--region");
    expect(() => findPlace({ table: "t" }, directory, "eu-west-1")).toThrow("--usage-plan");
  });

  it("is asked for when there is none", () => {
    expect(() => findPlace(nowhere, directory, undefined)).toThrow("npm start");
    expect(() => findPlace({ stage: "dev" }, directory, undefined)).toThrow("npm run deploy");
  });
});

describe("on a stage, a key", () => {
  const table = mockClient(dynamoDb);
  const gateway = mockClient(APIGatewayClient);
  const stage: Place = {
    name: "stage dev",
    environment: {},
    usagePlan: { usagePlanId: "plan1", region: "eu-west-1" },
  };
  const stored = {
    keyId: "key_1",
    name: "crm",
    scopes: ["read"],
    hash: "00",
    previous: [],
    createdAt: now.toISOString(),
  };
  let identities: Server;
  beforeAll(async () => {
    identities = createServer((_request, response) => {
      const Arn = "arn:aws:sts::123456789012:assumed-role/Operations/ada";
      response.end(JSON.stringify({ GetCallerIdentityResponse: { GetCallerIdentityResult: { Arn } } }));
    }).listen(0, "127.0.0.1");
    await once(identities, "listening");
    const { port } = identities.address() as AddressInfo;
    vi.stubEnv("AWS_ENDPOINT_URL_STS", `http://127.0.0.1:${port}/`);
    vi.stubEnv("AWS_ACCESS_KEY_ID", "id");
    vi.stubEnv("AWS_SECRET_ACCESS_KEY", "secret");
  });
  afterAll(() => {
    vi.unstubAllEnvs();
    identities.close();
  });
  const run = (...given: string[]) => {
    const command = parseKeysArguments(given);
    if (command === "help") throw new Error("not a command");
    return runKeys(command, stage, now);
  };
  beforeEach(() => {
    table.reset();
    gateway.reset();
    table.on(GetCommand).resolves({ Item: stored });
    table.on(PutCommand).resolves({});
    table.on(UpdateCommand).resolves({});
  });

  it("that is made is entered in the usage plan by its id, never by its secret", async () => {
    gateway.on(CreateApiKeyCommand).resolves({ id: "gateway-id" });
    gateway.on(CreateUsagePlanKeyCommand).resolves({});

    const { text, value } = await run("create", "--name", "crm", "--scopes", "read");

    const { keyId, secret } = value as { keyId: string; secret: string };
    expect(text).toContain(secret);
    expect(gateway.commandCalls(CreateApiKeyCommand)[0]?.args[0].input).toEqual({
      name: keyId,
      value: keyId,
      description: "crm",
      enabled: true,
    });
    expect(gateway.commandCalls(CreateUsagePlanKeyCommand)[0]?.args[0].input).toEqual({
      usagePlanId: "plan1",
      keyId: "gateway-id",
      keyType: "API_KEY",
    });
    expect(JSON.stringify(gateway.calls().map(({ args }) => args[0].input))).not.toContain(secret);
    expect(JSON.stringify(table.calls().map(({ args }) => args[0].input))).not.toContain(secret);
  });

  it("that the gateway does not take is not left behind", async () => {
    gateway.on(CreateApiKeyCommand).rejects(new Error("LimitExceeded"));

    await expect(run("create", "--name", "crm", "--scopes", "read")).rejects.toThrow("LimitExceeded");

    expect(table.commandCalls(UpdateCommand)[0]?.args[0].input.UpdateExpression).toContain("revokedAt");
    expect(endings()).toMatchObject([{ ":outcome": "failed" }]);
  });

  it("that is revoked is struck out of the gateway", async () => {
    gateway.on(GetApiKeysCommand).resolves({
      items: [
        { id: "other", name: "key_10" },
        { id: "gateway-id", name: "key_1" },
      ],
    });
    gateway.on(DeleteApiKeyCommand).resolves({});

    const { text } = await run("revoke", "key_1");

    expect(text).toContain("Revoked key_1 (crm) on stage dev");
    expect(gateway.commandCalls(DeleteApiKeyCommand).map(({ args }) => args[0].input)).toEqual([
      { apiKey: "gateway-id" },
    ]);
  });

  it("that is rotated stays the same for the gateway", async () => {
    const { text, value } = await run("rotate", "key_1", "--grace", "1h");

    expect(text).toContain("2026-11-23T10:00:00.000Z");
    expect((value as { secret: string }).secret).toMatch(/^cwk_/);
    expect(gateway.calls()).toEqual([]);
  });

  const beginnings = () =>
    table
      .commandCalls(PutCommand)
      .map(({ args }) => args[0].input.Item)
      .filter((item) => item?.auditId !== undefined);
  const endings = () =>
    table
      .commandCalls(UpdateCommand)
      .map(({ args }) => args[0].input.ExpressionAttributeValues)
      .filter((values) => values?.[":outcome"] !== undefined);

  it.each([
    [["create", "--name", "crm", "--scopes", "read"], "key.create", { name: "crm", scopes: ["read"] }],
    [["rotate", "key_1", "--grace", "1h"], "key.rotate", { graceSeconds: 3_600 }],
    [["revoke", "key_1"], "key.revoke", {}],
  ])("is not changed by %j without an entry in the audit trail", async (given, action, fields) => {
    gateway.on(GetApiKeysCommand).resolves({ items: [] });
    gateway.on(CreateApiKeyCommand).resolves({ id: "gateway-id" });

    const { value } = await run(...given);

    const operator = expect.stringMatching(
      /^arn:aws:sts::123456789012:assumed-role\/Operations\/ada \(.+@.+\)$/,
    );
    expect(beginnings()).toMatchObject([{ action, operator, keyId: null, outcome: "begun", fields }]);
    expect(endings()).toMatchObject([
      { ":outcome": "done", ":targets": { keyId: (value as { keyId: string }).keyId } },
    ]);

    table.reset();
    gateway.reset();
    table.on(PutCommand).rejects(new Error("the table does not answer"));

    await expect(run(...given)).rejects.toThrow("the table does not answer");
    expect(table.commandCalls(UpdateCommand)).toEqual([]);
    expect(table.commandCalls(PutCommand).every(({ args }) => args[0].input.Item?.auditId)).toBe(true);
    expect(gateway.calls()).toEqual([]);
  });

  it("can be revoked when nobody says who is asking", async () => {
    vi.stubEnv("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:9/");
    gateway.on(GetApiKeysCommand).resolves({ items: [] });

    const { text } = await run("revoke", "key_1");

    expect(text).toContain("Revoked key_1");
    expect(beginnings()[0]?.operator).toMatch(/^AWS identity not known \(.+@.+\)$/);
  });

  it("is listed in columns", async () => {
    table.on(QueryCommand).resolves({ Items: [{ ...stored, revokedAt: "2026-11-24T00:00:00.000Z" }] });

    expect((await run("list")).text).toBe(
      [
        "KEY    NAME  SCOPES  MADE        ROTATED  REVOKED",
        "key_1  crm   read    2026-11-23  -        2026-11-24",
      ].join("\n"),
    );
    table.on(QueryCommand).resolves({ Items: [] });
    expect((await run("list")).text).toBe("stage dev has no keys yet.");
  });
});
