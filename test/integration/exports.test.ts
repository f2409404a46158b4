import { createHash } from "node:crypto";
import { SendMessageCommand, SQSClient } from "@aws-sdk/client-sqs";
import { mockClient } from "aws-sdk-client-mock";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { DynamoDbEngine } from "../../local/dynamodb/engine.ts";
import type { Export } from "../../shared/contract/exports.ts";
import { type AllocationContext, noContext } from "../../shared/domain/allocation-context.ts";
import type { PersonalizedPromocode } from "../../shared/domain/promocode.ts";
import { slotOf, tokenOf, tombstone } from "../../shared/pool/cell.ts";
import { callApi, refusedApiCall } from "../support/api-call.ts";
import { engines } from "../support/engines.ts";
import { startTestBus, type TestBus } from "../support/event-bus.ts";
import { type ExportsBucket, startExportsBucket } from "../support/exports-bucket.ts";
import { inParallel } from "../support/in-parallel.ts";
import { jobLinesOf } from "../support/job-lines.ts";
import { createTable } from "../support/table.ts";

const header =
  "customerId,promocodeId,promotionId,fileId,uniqueCode,timestamp,occurenceId,seriesId,actionId\n";
const first = { generation: 1, attempt: 1, shard: 0, cell: 0 };
const noon = Date.UTC(2026, 10, 23, 12);
const fiveMinutes = 300_000;

const sqs = mockClient(SQSClient);

interface Taken {
  readonly customerId: string;
  readonly trigger?: string;
  readonly at?: number;
  readonly context?: AllocationContext;
  readonly address?: typeof first;
}

const loadModules = async () => ({
  ...(await import("../support/pool.ts")),
  ...(await import("../../shared/storage/contexts.ts")),
  ...(await import("../../shared/storage/pool-store.ts")),
  ...(await import("../../shared/storage/exports.ts")),
  ...(await import("../../shared/storage/promocodes.ts")),
  ...(await import("../../shared/storage/generations.ts")),
  ...(await import("../../shared/storage/cells.ts")),
  ...(await import("../../shared/storage/code-files.ts")),
  ...(await import("../../shared/files/export-file.ts")),
  build: (await import("../../functions/build-export/handler.ts")).handler,
  createPromotion: (await import("../../functions/create-promotion/handler.ts")).handler,
  createPromocode: (await import("../../functions/create-promocode/handler.ts")).handler,
  exportCodeFile: (await import("../../functions/export-code-file/handler.ts")).handler,
  exportPromocode: (await import("../../functions/export-promocode/handler.ts")).handler,
  getExportHandler: (await import("../../functions/get-export/handler.ts")).handler,
});

describe.each(engines)("exports on $name", ({ start }) => {
  let engine: DynamoDbEngine;
  let bucket: ExportsBucket;
  let bus: TestBus;
  let service: Awaited<ReturnType<typeof loadModules>>;
  beforeAll(async () => {
    process.env.EXPORTS_QUEUE_URL = "http://127.0.0.1:1/exports";
    engine = await start();
    bucket = await startExportsBucket(engine);
    bus = await startTestBus();
    await createTable(engine);
    service = await loadModules();
  });
  beforeEach(() => {
    sqs.reset();
    sqs.on(SendMessageCommand).resolves({});
  });
  afterAll(async () => {
    sqs.restore();
    await bus.close();
    await bucket.close();
    await engine.close();
  });

  const aPromocode = async (body: object = { type: "personalized" }) => {
    const promotion = await callApi<{ promotionId: string }>(service.createPromotion, "createPromotion", {
      body: { name: "Autumn sale", status: "active" },
    });
    const { promotionId } = promotion.body;
    const created = await callApi<{ promocodeId: string }>(service.createPromocode, "createPromocode", {
      body: { promotionId, ...body },
    });
    return service.promocodes.get(created.body.promocodeId);
  };
  /** With one file of these codes. */
  const aPool = async (codes: readonly string[]): Promise<PersonalizedPromocode> =>
    service.publish((await aPromocode()) as PersonalizedPromocode, codes);

  /** Hands out a cell's next code by hand; answers the code. An append that the SDK repeated stands where it first came. */
  const take = async (promocodeId: string, taken: Taken): Promise<string> => {
    const { customerId, trigger = null, at = noon, context = noContext, address = first } = taken;
    const contextId = await service.contextIdOf(promocodeId, context);
    const holder = { customerId, trigger };
    const { cell } = await service
      .dynamoPoolStore(promocodeId)
      .append(address, [{ holder, stamp: { at, contextId } }]);
    const code = cell.codes[slotOf(cell, tokenOf(holder))];
    if (code === undefined) throw new Error(`cell ${JSON.stringify(address)} has no free code`);
    return code;
  };

  const ask = async (promocodeId: string, body: object = {}, headers: Record<string, string> = {}) =>
    (
      await callApi<{ exportId: string; status: string }>(service.exportPromocode, "exportPromocode", {
        path: { promocodeId },
        body,
        headers,
      })
    ).body.exportId;
  const askFile = async (promocodeId: string, fileId: string) => {
    await service.codeFiles.create({
      fileId,
      promocodeId,
      fileName: "codes.csv",
      source: "upload",
      objectKey: `uploads/${promocodeId}/${fileId}.csv`,
      versionId: null,
      createdAt: "2026-11-23T09:00:00.000Z",
    });
    const { status, body } = await callApi<{ exportId: string }>(service.exportCodeFile, "exportCodeFile", {
      path: { promocodeId, fileId },
    });
    expect(status).toBe(202);
    return body.exportId;
  };
  const deliver = (exportId: string, { receives = 1, timeLeftMs = 900_000 } = {}) =>
    service.build(
      {
        Records: [
          {
            messageId: "message-1",
            body: JSON.stringify({ exportId }),
            attributes: { ApproximateReceiveCount: String(receives) },
          },
        ],
      },
      { getRemainingTimeInMillis: () => timeLeftMs },
    );
  const look = async (exportId: string): Promise<Export> =>
    (await callApi<Export>(service.getExportHandler, "getExport", { path: { exportId } })).body;
  const download = async ({ downloadUrl }: Export) => {
    const response = await fetch(downloadUrl ?? "");
    return { response, bytes: Buffer.from(await response.arrayBuffer()) };
  };
  const exported = async (promocodeId: string, body: object = {}): Promise<string> => {
    const exportId = await ask(promocodeId, body);
    await deliver(exportId);
    return (await download(await look(exportId))).bytes.toString("utf8");
  };

  it("are answered at once and queued", async () => {
    const { promocodeId } = await aPool(["CODE-1"]);

    const { status, body, headers } = await callApi<{ exportId: string; status: string }>(
      service.exportPromocode,
      "exportPromocode",
      { path: { promocodeId } },
    );

    expect(status).toBe(202);
    expect(body).toEqual({ exportId: expect.stringMatching(/^exp_/), status: "queued" });
    expect(headers.location).toBe(`/dev/v1/exports/${body.exportId}`);
    expect(sqs.commandCalls(SendMessageCommand).map((call) => call.args[0].input)).toEqual([
      { QueueUrl: "http://127.0.0.1:1/exports", MessageBody: JSON.stringify({ exportId: body.exportId }) },
    ]);
    const queued = await look(body.exportId);
    expect(queued).toMatchObject({ level: "promocode", status: "queued", rows: 0, bytes: 0, sha256: null });
    expect(queued).not.toHaveProperty("downloadUrl");
  });

  it("hold one row per allocated code, with all nine columns", async () => {
    const { promocodeId, promotionId } = await aPool(["CODE-1", "CODE-2", "CODE-3"]);
    const one = await take(promocodeId, { customerId: "customer-1" });
    const context = { occurenceId: "send-1", seriesId: "autumn", actionId: "mail" };
    const { shards } = (await service.generationsOf(promocodeId))[0] ?? { shards: 0 };
    const two = await take(promocodeId, {
      customerId: "customer-2",
      trigger: "trigger-1",
      at: noon + 120,
      context,
      address: { ...first, shard: shards - 1 },
    });

    const csv = await exported(promocodeId);

    const fileId = "fil_00000000000000000000000001";
    expect(csv).toBe(
      header +
        `customer-1,${promocodeId},${promotionId},${fileId},${one},2026-11-23T12:00:00.000Z,,,\n` +
        `customer-2,${promocodeId},${promotionId},${fileId},${two},2026-11-23T12:00:00.120Z,send-1,autumn,mail\n`,
    );
  });

  it("quote what needs quotes and leave the rest as it is", async () => {
    const { promocodeId } = await aPool(['A,"B']);
    await take(promocodeId, {
      customerId: ' größe, "XL" 🎁',
      context: { occurenceId: "a,b", seriesId: '"', actionId: "=SUM(A1)" },
    });

    const [, row] = (await exported(promocodeId)).split("\n");

    expect(row).toMatch(/^" größe, ""XL"" 🎁",/);
    expect(row).toContain(',"A,""B",');
    expect(row?.endsWith(',"a,b","""",=SUM(A1)')).toBe(true);
  });

  it("disarm formulas when asked to", async () => {
    const { promocodeId } = await aPool(["-CODE"]);
    await take(promocodeId, {
      customerId: "=1+1",
      context: { occurenceId: "+a", seriesId: '@b,"c"', actionId: "a=b" },
    });

    const [, row] = (await exported(promocodeId, { formulaSafe: true })).split("\n");

    expect(row?.split(",")[0]).toBe("'=1+1");
    expect(row).toContain(",'-CODE,");
    expect(row?.endsWith(`,'+a,"'@b,""c""",a=b`)).toBe(true);
  });

  it("keep to the period that was asked for, its end left out", async () => {
    const { promocodeId } = await aPool(["CODE-1", "CODE-2", "CODE-3", "CODE-4"]);
    for (const at of [noon - 1, noon, noon + 999, noon + 1000])
      await take(promocodeId, { customerId: `at-${at}`, at });

    const csv = await exported(promocodeId, {
      from: "2026-11-23T13:00:00+01:00",
      to: "2026-11-23T12:00:01Z",
    });

    const customersIn = csv
      .trimEnd()
      .split("\n")
      .slice(1)
      .map((row) => row.split(",")[0]);
    expect(customersIn).toEqual([`at-${noon}`, `at-${noon + 999}`]);
  });

  it("are a header alone when nothing was handed out, for a global promocode too", async () => {
    const { promocodeId } = await aPool(["CODE-1"]);
    const global = await aPromocode({ type: "global", code: `G-${engine.endpoint.split(":").at(-1)}` });

    expect(await exported(promocodeId)).toBe(header);
    expect(await exported(global.promocodeId)).toBe(header);
  });

  it("of a promocode hold all files, withdrawn ones too; of a file only that file", async () => {
    const withOne = await aPool(["CODE-1"]);
    const { promocodeId } = await service.publish(withOne, ["MORE-1"]);
    const [generation] = await service.generationsOf(promocodeId);
    await take(promocodeId, { customerId: "of-1" });
    await take(promocodeId, { customerId: "of-2", address: { ...first, generation: 2 } });
    const { dynamoDb, tableName } = await import("../../shared/storage/client.ts");
    const { PutCommand } = await import("@aws-sdk/lib-dynamodb");
    if (!generation) throw new Error("the first file is there");
    await dynamoDb.send(
      new PutCommand({
        TableName: tableName(),
        Item: service.generationItem(promocodeId, { ...generation, status: "withdrawn" }),
      }),
    );

    const ofPromocode = await exported(promocodeId);
    const exportId = await askFile(promocodeId, "fil_00000000000000000000000002");
    await deliver(exportId);
    const found = await look(exportId);
    const ofFile = (await download(found)).bytes.toString();

    expect(ofPromocode).toMatch(/^.*\nof-1,.*\nof-2,.*\n$/);
    expect(ofFile).toMatch(/^.*\nof-2,.*\n$/);
    expect(found).toMatchObject({ level: "file", rows: 1 });
  });

  it("keep the row of a person who was erased, without the customer", async () => {
    const { promocodeId } = await aPool(["CODE-1"]);
    await take(promocodeId, { customerId: tombstone });

    expect((await exported(promocodeId)).split("\n")[1]).toMatch(/^,pcd_.*,CODE-1,/);
  });

  it("equal what was handed out, whatever the size, and tell size and digest of the file", async () => {
    const { promocodeId } = await aPool(service.someCodes(1_000));
    const [generation] = await service.generationsOf(promocodeId);
    if (!generation) throw new Error("the file is there");
    // The salt decides how many codes a cell has: ask the cells, two thirds of each.
    const addresses = (await allCells(promocodeId, generation)).flatMap(({ address, capacity }) =>
      Array.from({ length: Math.ceil((capacity * 2) / 3) }, () => address),
    );
    const handedOut = new Map<string, string>();
    const takeAt = async (address: typeof first, index: number) => {
      const customerId = `customer-${index}`;
      const context = { ...noContext, occurenceId: `send-${index % 7}` };
      handedOut.set(await take(promocodeId, { customerId, address, context }), customerId);
    };
    await inParallel([...addresses.entries()], ([index, address]) => takeAt(address, index), 32);

    const exportId = await ask(promocodeId);
    await deliver(exportId);
    const done = await look(exportId);
    const { bytes } = await download(done);

    const rows = bytes
      .toString()
      .trimEnd()
      .split("\n")
      .slice(1)
      .map((row) => row.split(","));
    const cells = await allCells(promocodeId, generation);
    const holders = new Map(
      cells.flatMap(({ codes, tokens }) => tokens.map((token, slot) => [codes[slot] ?? "", token] as const)),
    );
    expect(handedOut.size).toBe(addresses.length);
    expect(holders).toEqual(handedOut);
    expect(new Map(rows.map((row) => [row[4] ?? "", row[0] ?? ""]))).toEqual(holders);
    expect(done).toMatchObject({ status: "succeeded", rows: holders.size, bytes: bytes.byteLength });
    expect(done.sha256).toBe(createHash("sha256").update(bytes).digest("hex"));
    expect(done.completedAt).toBeDefined();
  });

  const allCells = async (
    promocodeId: string,
    generation: { number: number; attempt: number; shards: number },
  ) => {
    const cells = [];
    for (let shard = 0; shard < generation.shards; shard += 1)
      for await (const page of service.cellsOfShard(promocodeId, generation, shard)) cells.push(...page);
    return cells;
  };

  it("are downloaded as a CSV with a telling name, until the URL dies", async () => {
    const { promocodeId } = await aPool(["CODE-1"]);
    const exportId = await ask(promocodeId);
    await deliver(exportId);

    const done = await look(exportId);
    const { response } = await download(done);
    const stored = await service.getExport(exportId, new Date());
    const old = await service.presignedDownload(
      stored.objectKey ?? "",
      "old.csv",
      new Date(Date.now() - 901_000),
    );

    expect(response.status).toBe(200);
    expect(response.headers.get("content-type")).toBe("text/csv; charset=utf-8");
    expect(response.headers.get("content-disposition")).toBe(
      `attachment; filename="${promocodeId}-allocations-${done.createdAt.slice(0, 10)}.csv"`,
    );
    const livesForMs = Date.parse(done.downloadExpiresAt ?? "") - Date.now();
    expect(livesForMs).toBeGreaterThan(2 * fiveMinutes);
    expect(livesForMs).toBeLessThanOrEqual(3 * fiveMinutes);
    expect((await fetch(old.downloadUrl)).status).toBe(403);
    expect((await fetch((done.downloadUrl ?? "").replace("filename", "filenome"))).status).toBe(403);
  });

  it("that succeeded stay as they are when their message comes again", async () => {
    const { promocodeId } = await aPool(["CODE-1", "CODE-2"]);
    await take(promocodeId, { customerId: "customer-1" });
    const exportId = await ask(promocodeId);
    await deliver(exportId);
    const before = await service.getExport(exportId, new Date());
    await take(promocodeId, { customerId: "customer-2" });

    await deliver(exportId, { receives: 2 });

    expect(await service.getExport(exportId, new Date())).toEqual(before);
  });

  it("built twice at once tell the digest of the file that they name", async () => {
    const { promocodeId } = await aPool(service.someCodes(50));
    const exportId = await ask(promocodeId);

    await Promise.all([deliver(exportId), deliver(exportId), take(promocodeId, { customerId: "meanwhile" })]);

    const done = await look(exportId);
    const { bytes } = await download(done);
    expect(done.sha256).toBe(createHash("sha256").update(bytes).digest("hex"));
    expect(done.bytes).toBe(bytes.byteLength);
  });

  it("asked for again with the same key are the same export, and one that succeeded is left alone", async () => {
    const { promocodeId } = await aPool(["CODE-1"]);
    const promocode = await service.promocodes.get(promocodeId);
    const { requestExport } = await import("../../shared/queues/request-export.ts");
    const wish = { promocode, fileId: null, formulaSafe: false };
    const ulid = "01KA5S9Y1Q3S5V7X9Z1B3D5F7J";
    const exportId = await requestExport(wish, ulid, new Date());
    await deliver(exportId);
    const before = await service.getExport(exportId, new Date());

    const again = await requestExport(wish, ulid, new Date());

    expect(again).toBe(exportId);
    expect(sqs.commandCalls(SendMessageCommand)).toHaveLength(2);
    expect(await service.getExport(exportId, new Date())).toEqual(before);
  });

  it("that cannot be finished in one run fail with a sentence that says what to do", async () => {
    const { promocodeId } = await aPool(["CODE-1"]);
    const exportId = await ask(promocodeId);

    const answer = await deliver(exportId, { timeLeftMs: 29_000 });

    expect(answer).toEqual({ batchItemFailures: [] });
    const failed = await look(exportId);
    expect(failed).toMatchObject({ status: "failed", sha256: null });
    expect(failed.failure).toEqual({
      code: "export-failed",
      message: expect.stringContaining("with from and to"),
    });
  });

  it("that fail are tried again, and are failed after the last try", async () => {
    const { promocodeId } = await aPool(["CODE-1"]);
    const exportId = await ask(promocodeId);
    process.env.EXPORTS_BUCKET = "no-such-bucket";
    try {
      const early = await deliver(exportId, { receives: 4 });
      const statusBetween = (await look(exportId)).status;
      const last = await deliver(exportId, { receives: 5 });

      expect(early).toEqual({ batchItemFailures: [{ itemIdentifier: "message-1" }] });
      expect(statusBetween).toBe("running");
      expect(last).toEqual({ batchItemFailures: [{ itemIdentifier: "message-1" }] });
      expect(await look(exportId)).toMatchObject({ status: "failed", failure: { code: "export-failed" } });
    } finally {
      process.env.EXPORTS_BUCKET = "exports";
    }
  });

  it("whose last try was ended by Lambda are failed by the delivery after it; a redrive builds them", async () => {
    const { promocodeId } = await aPool(["CODE-1"]);
    const exportId = await ask(promocodeId);
    await service.beginExport(exportId);

    const answer = await deliver(exportId, { receives: 6 });

    expect(answer).toEqual({ batchItemFailures: [{ itemIdentifier: "message-1" }] });
    expect(await look(exportId)).toMatchObject({ status: "failed", failure: { code: "export-failed" } });
    await deliver(exportId);
    expect(await look(exportId)).toMatchObject({ status: "succeeded", rows: 0 });
  });

  it("are told on the bus when they are ready, once, by the next delivery if the bus was down", async () => {
    const { promocodeId, promotionId } = await aPool(["CODE-1", "CODE-2"]);
    await take(promocodeId, { customerId: "customer-1" });
    const exportId = await ask(promocodeId);
    bus.told();
    bus.isDown = true;

    const first = await deliver(exportId);
    const ready = await look(exportId);
    bus.isDown = false;
    await deliver(exportId);
    await deliver(exportId);

    expect(first).toEqual({ batchItemFailures: [{ itemIdentifier: "message-1" }] });
    expect(ready.status).toBe("succeeded");
    const events = bus.told();
    expect(events.map(({ "detail-type": name, detail }) => [name, detail])).toEqual([
      [
        "ExportReady",
        {
          version: 1,
          eventId: `ExportReady/${exportId}`,
          occurredAt: ready.completedAt,
          message: expect.stringContaining("with 1 rows"),
          exportId,
          level: "promocode",
          promocodeId,
          promotionId,
          fileId: null,
          rows: 1,
          bytes: ready.bytes,
          sha256: ready.sha256,
        },
      ],
    ]);
  });

  it("are told on the bus when they fail, and nothing more by the delivery that ends as a dead letter", async () => {
    const { promocodeId } = await aPool(["CODE-1"]);
    const exportId = await ask(promocodeId);
    bus.told();
    process.env.EXPORTS_BUCKET = "no-such-bucket";
    try {
      for (const receives of [4, 5, 6]) await deliver(exportId, { receives });
    } finally {
      process.env.EXPORTS_BUCKET = "exports";
    }

    const events = bus.told();
    expect(events.map(({ "detail-type": name }) => name)).toEqual(["ExportFailed", "DeadLetter"]);
  });

  it("are refused for what does not exist", async () => {
    const ofNothing = await refusedApiCall(service.exportPromocode, "exportPromocode", {
      path: { promocodeId: "pcd_none" },
    });
    const { promocodeId } = await aPool(["CODE-1"]);
    const ofNoFile = await refusedApiCall(service.exportCodeFile, "exportCodeFile", {
      path: { promocodeId, fileId: "fil_01KA5S9Y1Q3S5V7X9Z1B3D5F99" },
    });
    const unknown = await refusedApiCall(service.getExportHandler, "getExport", {
      path: { exportId: "exp_01KA5S9Y1Q3S5V7X9Z1B3D5F99" },
    });

    expect(ofNothing.body.code).toBe("promocode-not-found");
    expect(ofNoFile.body.code).toBe("code-file-not-found");
    expect(unknown.body.code).toBe("export-not-found");
    expect(sqs.commandCalls(SendMessageCommand)).toHaveLength(0);
  });

  it("are gone when their time is over", async () => {
    const { promocodeId } = await aPool(["CODE-1"]);
    const exportId = await ask(promocodeId);
    const inSevenDays = new Date(Date.now() + 7 * 86_400_000 + 2_000);

    await expect(service.getExport(exportId, inSevenDays)).rejects.toMatchObject({
      code: "export-not-found",
    });
  });

  it("log one line for each message: the export, what became of it, counts; no customer, no code", async () => {
    const { promocodeId } = await aPool(["SECRET-1", "SECRET-2"]);
    await take(promocodeId, { customerId: "ada" });
    const exportId = await ask(promocodeId);
    const largeId = await ask(promocodeId);

    const lines = await jobLinesOf(async () => {
      await deliver(exportId);
      await deliver(exportId, { receives: 2 });
      await deliver(largeId, { timeLeftMs: 1_000 });
    });

    const { bytes } = await look(exportId);
    const common = { message: "worked", job: "build-export", messageId: "message-1", receives: 1 };
    const begun = { ...common, promocodeId, fileId: null };
    expect(lines).toEqual([
      { ...begun, exportId, outcome: "succeeded", rows: 1, bytes },
      { ...common, receives: 2, exportId, outcome: "nothing to do" },
      { ...begun, exportId: largeId, outcome: "refused", why: "too large for one run" },
    ]);
    expect(JSON.stringify(lines)).not.toMatch(/ada|SECRET/);
  });
});
