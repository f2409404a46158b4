import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { DynamoDBClient, GetItemCommand, PutItemCommand } from "@aws-sdk/client-dynamodb";
import { GetObjectCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { lockFile } from "../../local/file-lock.ts";
import { type Endpoints, type LocalService, startLocalService } from "../../local/local-service.ts";
import type { QueueChange } from "../../local/queues/queue.ts";

const fixture = fileURLToPath(new URL("../support/local-fixture", import.meta.url));
const anyDirectory = () => mkdtempSync(join(tmpdir(), "local-service-"));

const start = (directory: string, createKey = async () => "first-key") =>
  startLocalService({ directory, stack: fixture, port: 0, createKey });

function clientsOf({ s3, dynamodb }: Endpoints) {
  const connection = ({
    endpoint,
    region,
    accessKeyId,
    secretAccessKey,
  }: Omit<Endpoints["dynamodb"], "tableName">) => ({
    endpoint,
    region,
    credentials: { accessKeyId, secretAccessKey },
  });
  const bucket = new S3Client({ ...connection(s3), forcePathStyle: true });
  const table = new DynamoDBClient(connection(dynamodb));
  return {
    drop: (Key: string, Body: string) =>
      bucket.send(new PutObjectCommand({ Bucket: s3.uploadsBucket, Key, Body })),
    object: async (Key: string) => {
      const { Body } = await bucket.send(new GetObjectCommand({ Bucket: s3.uploadsBucket, Key }));
      return Body?.transformToString();
    },
    put: (pk: string) =>
      table.send(new PutItemCommand({ TableName: dynamodb.tableName, Item: { pk: { S: pk } } })),
    /** The item's attributes as text, by name. */
    item: async (pk: string): Promise<Record<string, string>> => {
      const { Item = {} } = await table.send(
        new GetItemCommand({ TableName: dynamodb.tableName, Key: { pk: { S: pk } }, ConsistentRead: true }),
      );
      return Object.fromEntries(
        Object.entries(Item).map(([name, value]) => [name, value.S ?? value.N ?? ""]),
      );
    },
  };
}

interface Echo {
  readonly event: {
    readonly pathParameters: object;
    readonly requestContext: { readonly authorizer?: object };
  };
  readonly environment: Record<string, string>;
}
const echoOf = async (answer: Response) => (await answer.json()) as Echo;

const patience = { timeout: 30_000 };

describe("the local service on a synthesized stack", () => {
  const directory = anyDirectory();
  let service: LocalService;
  let use: ReturnType<typeof clientsOf>;

  beforeAll(async () => {
    service = await start(directory);
    use = clientsOf(service.endpoints);
  });
  afterAll(() => service.close());

  it("brings a dropped file by notification, queue, function and stream into the table", async () => {
    await use.drop("in/spring sale.csv", "code\nA\n");

    // S3 encodes keys in its events.
    await expect.poll(() => use.item("file#in/spring+sale.csv"), patience).toMatchObject({ size: "7" });
    await expect.poll(() => use.item("count"), patience).toMatchObject({ seen: "1" });
    expect((await use.item("count")).shard).toMatch(/^shardId-/);
  });

  it("tells a function only of objects that the notification's filter names", async () => {
    await use.drop("in/other.txt", "x");
    await use.drop("elsewhere/file.csv", "x");
    await use.drop("in/last.csv", "x");

    await expect.poll(() => use.item("file#in/last.csv"), patience).toMatchObject({ attempts: "1" });

    expect(await use.item("file#in/other.txt")).toEqual({});
    expect(await use.item("file#elsewhere/file.csv")).toEqual({});
  });

  it("retries a message that fails and lays it with the dead letters at last", async () => {
    await use.drop("in/poison.csv", "x");

    await expect.poll(() => use.item("file#in/poison.csv"), patience).toMatchObject({ attempts: "2" });
    const deadLetters = () =>
      readFileSync(join(directory, "queues", "queues.jsonl"), "utf8")
        .split("\n")
        .filter((line) => line !== "")
        .map((line) => JSON.parse(line) as QueueChange)
        .flatMap((change) => (change.queue === "DeadLetters" && "put" in change ? [change.put.body] : []));
    await expect.poll(deadLetters, patience).toEqual([expect.stringContaining("in/poison.csv")]);
  });

  it("answers over HTTP by the template's functions and guard", async () => {
    const { apiUrl } = service.endpoints;

    const open = await fetch(`${apiUrl}/open/hello`);
    const unknown = await fetch(`${apiUrl}/guarded/1`, { headers: { "X-API-KEY": "unknown" } });
    const known = await fetch(`${apiUrl}/guarded/1`, { headers: { "X-API-KEY": "anna" } });

    const { event, environment } = await echoOf(open);
    expect(event.pathParameters).toEqual({ name: "hello" });
    expect(environment).toMatchObject({
      TABLE_NAME: service.endpoints.dynamodb.tableName,
      AWS_ENDPOINT_URL_S3: service.endpoints.s3.endpoint,
      AWS_ENDPOINT_URL_DYNAMODB: service.endpoints.dynamodb.endpoint,
    });
    expect(environment.QUEUE_URL).toBe(`${environment.AWS_ENDPOINT_URL_SQS}/000000000000/Arrivals`);
    expect([unknown.status, known.status]).toEqual([401, 200]);
    const context = (await echoOf(known)).event.requestContext;
    expect(context.authorizer).toMatchObject({ principalId: "anna", scopes: "read", level: "3" });
  });

  it("writes where everything is into a file that only its owner may read", () => {
    const file = join(directory, "endpoints.json");

    expect(JSON.parse(readFileSync(file, "utf8"))).toEqual(service.endpoints);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(service.endpoints).toEqual({
      apiUrl: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/),
      apiKey: "first-key",
      s3: {
        endpoint: expect.stringMatching(/^http:/),
        region: "us-east-1",
        accessKeyId: expect.any(String),
        secretAccessKey: expect.any(String),
        uploadsBucket: "uploads",
        exportsBucket: "exports",
      },
      dynamodb: {
        endpoint: expect.stringMatching(/^http:/),
        region: "us-east-1",
        accessKeyId: expect.any(String),
        secretAccessKey: expect.any(String),
        tableName: "Table",
      },
      sqs: { endpoint: expect.stringMatching(/^http:/) },
    });
  });

  it("lets no second instance use its directory", async () => {
    await expect(start(directory)).rejects.toThrow(/already runs on .* \(process \d+\)\. Stop it first/);
    // Nor may it be wiped meanwhile.
    await expect(startLocalService({ directory, stack: fixture, port: 0, fresh: true })).rejects.toThrow(
      /already runs/,
    );
    expect(existsSync(join(directory, "endpoints.json"))).toBe(true);
  });
});

describe("the local service over restarts", () => {
  it("keeps data and key when it is stopped, and forgets them when it begins anew", async () => {
    const directory = anyDirectory();
    const first = await start(directory);
    const before = clientsOf(first.endpoints);
    await before.put("kept");
    await before.drop("in/kept.csv", "kept");
    await expect.poll(() => before.item("file#in/kept.csv"), patience).toMatchObject({ attempts: "1" });
    await first.close();
    expect(existsSync(join(directory, "endpoints.json"))).toBe(false);

    const second = await start(directory, async () => "another-key");
    const after = clientsOf(second.endpoints);
    expect(second.endpoints.apiKey).toBe("first-key");
    expect(await after.item("kept")).toEqual({ pk: "kept" });
    expect(await after.object("in/kept.csv")).toBe("kept");
    await second.close();
    writeFileSync(join(directory, "thesis.txt"), "not ours");

    const fresh = await startLocalService({
      directory,
      stack: fixture,
      port: 0,
      fresh: true,
      createKey: async () => "new-key",
    });
    expect(fresh.endpoints.apiKey).toBe("new-key");
    expect(await clientsOf(fresh.endpoints).item("kept")).toEqual({});
    expect(readFileSync(join(directory, "thesis.txt"), "utf8")).toBe("not ours");
    await fresh.close();
  });

  it("goes on after a kill -9: nothing acknowledged is lost, and nothing that was under way", async () => {
    const directory = anyDirectory();
    const child = await startInProcess(directory);
    const before = clientsOf(child.endpoints);
    const drops = Array.from({ length: 20 }, (_, index) => `in/${index}.csv`);
    await before.put("kept");
    await Promise.all(drops.map((key) => before.drop(key, key)));

    await killed(child.process);
    const service = await start(directory, async () => "another-key");

    const after = clientsOf(service.endpoints);
    expect(service.endpoints.apiKey).toBe("key-of-the-first-start");
    expect(await after.item("kept")).toEqual({ pk: "kept" });
    for (const key of drops) expect(await after.object(key)).toBe(key);
    for (const key of drops)
      await expect.poll(() => after.item(`file#${key}`), patience).toMatchObject({ size: `${key.length}` });
    await service.close();
  });

  it("starts although the lock names a process that is dead, or one that began later", async () => {
    const directory = anyDirectory();
    writeFileSync(join(directory, "dead"), JSON.stringify({ pid: 999_999_999, started: "1" }));
    writeFileSync(join(directory, "reused"), JSON.stringify({ pid: process.pid, started: "1" }));

    lockFile(join(directory, "dead")).release();
    lockFile(join(directory, "reused")).release();

    const held = lockFile(join(directory, "held"));
    expect(() => lockFile(join(directory, "held"))).toThrow(`process ${process.pid}`);
    held.release();
  });

  it("says what to do when the port of its API is taken, before it does anything else", async () => {
    const directory = anyDirectory();
    const first = await start(directory);
    const port = Number(new URL(first.endpoints.apiUrl).port);

    await expect(startLocalService({ directory: anyDirectory(), stack: fixture, port })).rejects.toThrow(
      /Port \d+ is taken/,
    );

    await first.close();
  });
});

async function startInProcess(directory: string): Promise<{ process: ChildProcess; endpoints: Endpoints }> {
  // Not by tsx's command, which would run the service in a child of its own.
  const child = spawn(process.execPath, ["--import", "tsx", join(fixture, "run.ts"), directory], {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: "true" },
  });
  const line = await new Promise<string>((resolve, reject) => {
    let text = "";
    child.stdout.on("data", (chunk) => {
      text += chunk;
      if (text.includes("\n")) resolve(text);
    });
    child.once("exit", () => reject(new Error("The service did not start.")));
  });
  return { process: child, endpoints: JSON.parse(line) };
}

function killed(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    child.once("exit", () => resolve());
    child.kill("SIGKILL");
  });
}
