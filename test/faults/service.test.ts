import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect } from "vitest";
import { type DynamoDbEngine, startDynoxide } from "../../local/dynamodb/engine.ts";
import type { Allocation } from "../../shared/contract/allocations.ts";
import type { CodeFile } from "../../shared/contract/code-files.ts";
import type { Problem } from "../../shared/contract/problems.ts";
import type { Promocode } from "../../shared/contract/promocodes.ts";
import { customers, someCodes } from "../support/codes.ts";
import { inParallel } from "../support/in-parallel.ts";
import { type Reply, ServiceClient } from "../support/service-client.ts";
import { fault, injectionByHand } from "./fault.ts";
import { type FaultProxy, startFaultProxy } from "./fault-proxy.ts";
import type { TableLocation } from "./pool-truth.ts";
import { provePool } from "./prove-pool.ts";
import { startProcess } from "./start-process.ts";
import { connectionReset, failing, hanging, isGetOf, throttled } from "./wire-faults.ts";

/** The whole service, in a process of its own as `npm start` runs it; its table is in an engine that outlives it. */
describe("the service", () => {
  let directory: string;
  let engine: DynamoDbEngine;
  let wire: FaultProxy;
  let service: ChildProcess;
  let client: ServiceClient;
  let table: TableLocation;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "codewell-faults-"));
    engine = await startEngine();
    wire = await startFaultProxy(engine.endpoint);
    await startService();
    table = { engine, tableName: client.endpoints.dynamodb.tableName };
  }, 300_000);
  afterAll(async () => {
    service.kill("SIGKILL");
    await wire.close();
    await engine.close();
    await rm(directory, { recursive: true, force: true });
  });

  const engineDirectory = () => join(directory, "engine");
  const startEngine = (port?: number) => startDynoxide({ directory: engineDirectory(), port });

  const startService = async (): Promise<void> => {
    const { AWS_ENDPOINT_URL_DYNAMODB: _, ...environment } = process.env;
    const endpoints = join(directory, "service", "endpoints.json");
    rmSync(endpoints, { force: true });
    const log: string[] = [];
    service = spawn(
      process.execPath,
      ["--import", "tsx", "local/start.ts", "--directory", join(directory, "service"), "--port", "0"],
      { stdio: ["ignore", "ignore", "pipe"], env: { ...environment, DYNAMODB_ENDPOINT: wire.endpoint } },
    );
    service.stderr?.on("data", (chunk: Buffer) => log.push(chunk.toString()));
    for (let waitedMs = 0; !existsSync(endpoints); waitedMs += 50) {
      if (waitedMs > 240_000 || service.exitCode !== null)
        throw new Error(`the service did not start: ${log.join("").slice(-2_000)}`);
      await sleep(50);
    }
    client = new ServiceClient(JSON.parse(readFileSync(endpoints, "utf8")));
  };

  const aPool = async (codes: readonly string[], settings: Partial<Promocode["uniqueCodes"]> = {}) => {
    const { promocodeId, promotionId } = await client.promocode(settings ?? {});
    await client.upload(promocodeId, codes.join("\n"));
    const [file] = await client.loadedFiles(promocodeId, 1);
    return { promocodeId, promotionId, fileId: file?.fileId ?? "", codes };
  };

  /** Asks as a careful caller does: again when the connection broke or the service was not well. */
  const untilAnswered = async (promocodeId: string, customerId: string): Promise<Reply<Allocation>> => {
    for (;;) {
      const reply = await client.allocate(promocodeId, { customerId }).catch(() => undefined);
      if (reply && reply.status < 500) return reply;
      await sleep(100);
    }
  };
  const allocations = (replies: readonly Reply<Allocation>[]) =>
    replies.filter(({ status }) => status < 300).map(({ body }) => body);
  /** Counted and exported, as whoever asks the service is told. */
  const proveAll = async (promocodeId: string, codes: readonly string[], answers: readonly Allocation[]) => {
    const { given } = await provePool(table, promocodeId, { codes, answers });
    await client.until<Promocode>(
      `/v1/promocodes/${promocodeId}`,
      ({ pool }) => pool?.allocated === given.length,
      120_000,
    );
    const { text } = await client.exportOf(`/v1/promocodes/${promocodeId}/exports`);
    return provePool(table, promocodeId, { codes, answers, counted: true, exported: text });
  };

  fault("the authorizer's table cannot be reached", async ({ count, proved }) => {
    const { region, credentials } = engine;
    Object.assign(process.env, {
      TABLE_NAME: table.tableName,
      AWS_REGION: region,
      AWS_ACCESS_KEY_ID: credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
    });
    const { createApiKey } = await startProcess(
      engine.endpoint,
      () => import("../../shared/storage/api-keys.ts"),
    );
    for (const trouble of [connectionReset, failing, throttled, hanging]) {
      // A new one each time: the gateway remembers what it was told of a key for a minute.
      const { secret } = await createApiKey({ name: "shop", scopes: ["admin"], now: new Date() });
      const stranger = secret.replace(/.{43}$/, "x".repeat(43));
      const ask = (key: string) =>
        client.call<Problem>("GET", "/v1/promotions", undefined, { "X-API-KEY": key });
      const unreachable = count(wire.inject(trouble, { matches: isGetOf("keys") }));

      const refused = await Promise.all([ask(secret), ask(stranger)]);
      unreachable.stop();
      const after = [await ask(secret), await ask(stranger)];

      for (const { status, headers, body } of refused) {
        expect([status, body.code]).toEqual([503, "unavailable"]);
        expect(headers.get("content-type")).toBe("application/problem+json");
        expect(headers.get("retry-after")).toBe("1");
      }
      expect(after.map(({ status }) => status)).toEqual([200, 401]);
    }
    proved("reset, failing, throttled, hanging: 503 for every key, allowed never, and not remembered");
  });

  fault("the promotion is archived during allocation", async ({ count, proved }) => {
    const { promocodeId, promotionId, codes } = await aPool(someCodes(450));
    let archived = false;
    const archive = count(
      injectionByHand(async () => {
        await client.call("DELETE", `/v1/promotions/${promotionId}`);
        archived = true;
      }),
    );
    let asked = 0;
    let archiving: Promise<void> | undefined;

    const replies = await inParallel(
      customers(400),
      async (customerId) => {
        asked += 1;
        if (asked === 60) archiving = archive.fire();
        const begunAfter = archived;
        const reply = await client.allocate(promocodeId, { customerId });
        return { ...reply, begunAfter };
      },
      24,
    );
    await archiving;

    const late = replies.filter(({ begunAfter }) => begunAfter);
    expect(late.length).toBeGreaterThan(0);
    for (const { status, body } of late)
      expect([status, (body as unknown as Problem).code]).toEqual([409, "promotion-not-active"]);
    const answers = allocations(replies);
    const { given } = await provePool(table, promocodeId, { codes, answers });
    expect(given).toHaveLength(answers.length);
    proved("refused from its answer on, who was answered before holds her code, none burnt");
  });

  fault("a file is withdrawn during allocation", async ({ count, proved }) => {
    const { promocodeId, fileId, codes } = await aPool(someCodes(400, "A"));
    await client.drop(promocodeId, "more.csv", someCodes(60, "B").join("\n"));
    await client.loadedFiles(promocodeId, 2);
    const path = `/v1/promocodes/${promocodeId}/files/${fileId}`;
    const withdraw = count(injectionByHand(() => client.call("DELETE", path)));
    let asked = 0;
    let withdrawing: Promise<unknown> | undefined;

    const replies = await inParallel(
      customers(190),
      (customerId) => {
        asked += 1;
        if (asked === 60) withdrawing = withdraw.fire();
        return client.allocate(promocodeId, { customerId });
      },
      24,
    );
    await withdrawing;
    await client.until<CodeFile>(path, ({ status }) => status === "withdrawn");
    // More than hold a code of A by then, by more than B has.
    const after = await inParallel(customers(300), (customerId) =>
      client.allocate(promocodeId, { customerId }),
    );

    const answers = allocations([...replies, ...after]);
    const { given, free, withdrawn } = await proveAll(
      promocodeId,
      [...codes, ...someCodes(60, "B")],
      answers,
    );
    expect(free).toEqual([]);
    expect(withdrawn.length).toBeGreaterThan(0);
    expect(given.length + withdrawn.length).toBe(460);
    proved(
      "who holds a code keeps it, its free ones are gone, none given twice, counts and export equal the scan",
    );
  });

  fault("kill -9 of the service under load, twice", async ({ count, proved }) => {
    const { promocodeId, codes } = await aPool(someCodes(500));
    const kill = count(
      injectionByHand(async () => {
        service.kill("SIGKILL");
        await startService();
      }),
    );
    let answered = 0;
    let restarting = Promise.resolve();

    const replies = await inParallel(
      customers(500),
      async (customerId) => {
        const reply = await untilAnswered(promocodeId, customerId);
        answered += 1;
        if ([150, 300].includes(answered)) restarting = kill.fire();
        return reply;
      },
      24,
    );
    await restarting;
    const again = await inParallel(customers(500), (customerId) => untilAnswered(promocodeId, customerId));

    expect(again.map(({ body }) => body.uniqueCode)).toEqual(replies.map(({ body }) => body.uniqueCode));
    const { given } = await proveAll(promocodeId, codes, allocations([...replies, ...again]));
    expect(given).toHaveLength(500);
    proved("every code given once, none burnt, the same when asked again, counts and export equal the scan");
  });

  fault("kill -9 of the engine under load, and started again", async ({ count, proved }) => {
    const { promocodeId, codes } = await aPool(someCodes(400));
    const restart = count(
      injectionByHand(async () => {
        process.kill(Number(readFileSync(join(engineDirectory(), "engine.pid"), "utf8")), "SIGKILL");
        await engine.gone;
        engine = await startEngine(Number(new URL(engine.endpoint).port));
      }),
    );
    let answered = 0;
    let restarting = Promise.resolve();

    const replies = await inParallel(
      customers(400),
      async (customerId) => {
        const reply = await untilAnswered(promocodeId, customerId);
        answered += 1;
        if ([150, 300].includes(answered)) restarting = restart.fire();
        return reply;
      },
      24,
    );
    await restarting;

    const { given } = await proveAll(promocodeId, codes, allocations(replies));
    expect(given).toHaveLength(400);
    proved(
      "what was answered is on record, every code given once, none burnt, counts and export equal the scan",
    );
  });
});
