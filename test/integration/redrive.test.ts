import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  GetQueueAttributesCommand,
  ReceiveMessageCommand,
  SendMessageCommand,
  SQSClient,
} from "@aws-sdk/client-sqs";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Place } from "../../commands/keys/place.ts";
import type { DynamoDbEngine } from "../../local/dynamodb/engine.ts";
import { openQueueStore, type QueueStore } from "../../local/queues/queue-store.ts";
import { type SqsServer, startSqsServer } from "../../local/queues/sqs-server.ts";
import type { QueueFacts } from "../../local/template/facts.ts";
import { engines } from "../support/engines.ts";
import { createTable } from "../support/table.ts";

const arn = (name: string) => `arn:aws:sqs:us-east-1:000000000000:${name}`;
const aQueue = (name: string, deadLetters?: string): QueueFacts => ({
  logicalId: name,
  name,
  arn: arn(name),
  visibilityTimeoutSeconds: 30,
  retentionSeconds: 1_209_600,
  delaySeconds: 0,
  maxMessageBytes: 1_048_576,
  receiveWaitSeconds: 0,
  ...(deadLetters && { deadLetter: { queueArn: arn(deadLetters), maxReceiveCount: 5 } }),
});

/** As CloudFormation would name them, in an account that has another service's queues too. */
const names = {
  loading: "Codewell-dev-LoadingQueue775275F3-a1",
  lostFiles: "Codewell-dev-LoadingDeadLettersQueue4F39B6A4-b2",
  exporting: "Codewell-dev-ExportingQueue3347C78C-c3",
  lostExports: "Codewell-dev-ExportingDeadLettersQueueFC3BF4EE-d4",
  lostBatches: "Codewell-dev-CountingDeadLettersQueue12345678-e5",
  foreign: "Other-LoadingDeadLettersQueue4F39B6A4-f6",
};

const loadModules = async () => ({
  ...(await import("../support/pool.ts")),
  ...(await import("../../commands/redrive/run-redrive.ts")),
  ...(await import("../../commands/redrive/arguments.ts")),
  ...(await import("../../shared/storage/audit-page.ts")),
  ...(await import("../../shared/storage/code-files.ts")),
});

const place: Place = { name: "stage dev", environment: {}, queuePrefix: "Codewell-dev-" };

describe("redrive", () => {
  let engine: DynamoDbEngine;
  let server: SqsServer;
  let directory: string;
  let store: QueueStore;
  let sqs: SQSClient;
  let service: Awaited<ReturnType<typeof loadModules>>;
  beforeAll(async () => {
    engine = await engines[0]!.start();
    await createTable(engine);
    server = await startSqsServer();
    process.env.AWS_ENDPOINT_URL_SQS = server.endpoint;
    service = await loadModules();
    directory = mkdtempSync(join(tmpdir(), "redrive-"));
    store = await openQueueStore(directory, [
      aQueue(names.loading, names.lostFiles),
      aQueue(names.lostFiles),
      aQueue(names.exporting, names.lostExports),
      aQueue(names.lostExports),
      aQueue(names.lostBatches),
      aQueue(names.foreign),
    ]);
    server.serve(store);
    sqs = new SQSClient({ endpoint: server.endpoint, region: "us-east-1" });
  });
  beforeEach(() => Promise.all(store.all.map((queue) => queue.purge())));
  afterAll(async () => {
    sqs.destroy();
    await server.close();
    await store.close();
    await engine.close();
    rmSync(directory, { recursive: true });
    delete process.env.AWS_ENDPOINT_URL_SQS;
  });

  const url = (name: string) => `${server.endpoint}/000000000000/${name}`;
  const send = (name: string, body: unknown) =>
    sqs.send(new SendMessageCommand({ QueueUrl: url(name), MessageBody: JSON.stringify(body) }));
  /** Messages that can be received. */
  const visible = async (name: string): Promise<number> => {
    const { Attributes } = await sqs.send(
      new GetQueueAttributesCommand({ QueueUrl: url(name), AttributeNames: ["All"] }),
    );
    return Number(Attributes?.ApproximateNumberOfMessages);
  };
  const redrive = async (...given: string[]) => {
    const command = service.parseRedriveArguments(given);
    if (command === "help") throw new Error("not a command");
    const printed: string[] = [];
    const line = { show: () => {}, clear: () => {}, leave: () => {} };
    const isWell = await service.runRedrive(command, place, {
      print: (text) => printed.push(text),
      line,
      now: () => new Date(Date.now() + 3 * 3_600_000),
    });
    return { isWell, text: printed.join("\n") };
  };

  const aReadyFile = async () => {
    const { promocodeId } = await service.publish(await service.aPromocode(), service.someCodes(5));
    const [file] = await service.codeFiles.all(promocodeId);
    return { promocodeId, fileId: file!.fileId, objectKey: file!.objectKey! };
  };

  it("says what each letter is about, how old it is and what became of it, and leaves it where it is", async () => {
    const { promocodeId, fileId, objectKey } = await aReadyFile();
    await send(names.lostFiles, { promocodeId, fileId, waits: 2 });
    await send(names.lostFiles, {
      Records: [{ eventTime: "2026-11-25T09:00:00.000Z", s3: { object: { key: objectKey } } }],
    });
    await send(names.lostFiles, { customerId: "anna@example.org", what: 1 });
    await send(names.lostExports, { exportId: "exp_gone" });
    await send(names.foreign, { exportId: "exp_foreign" });

    const { isWell, text } = await redrive();

    expect(isWell).toBe(true);
    expect(text).toContain("Lists the dead letters of all queues on stage dev. Changes nothing");
    expect(text).toMatch(new RegExp(`3 h +file ${fileId} of ${promocodeId} +ready`));
    expect(text).toMatch(new RegExp(`3 h +object ${objectKey} +ready`));
    expect(text).toMatch(/a message with customerId, what +unknown/);
    expect(text).toMatch(/export exp_gone +no record/);
    expect(text).toContain("counter: none");
    expect(text).not.toContain("anna");
    expect(text).not.toContain("exp_foreign");
    expect(await visible(names.lostFiles)).toBe(3);
    expect(await visible(names.loading)).toBe(0);
  });

  it("sends them back to the queue that gave them up, and nothing the second time", async () => {
    await send(names.lostFiles, { promocodeId: "pcd_1", fileId: "fil_1", waits: 0 });
    await send(names.lostExports, { exportId: "exp_1" });

    const first = await redrive("--yes");
    const second = await redrive("--yes");

    const { items } = await service.auditPage({ limit: 10, action: "dead-letters.redrive" }, new Date());
    expect(items.map(({ fields, outcome }) => ({ ...fields, outcome }))).toEqual(
      expect.arrayContaining([
        { queue: "code-files", letters: 1, outcome: "done" },
        { queue: "exports", letters: 1, outcome: "done" },
      ]),
    );
    expect(first.text.match(/1 sent back \(COMPLETED\)/g)).toHaveLength(2);
    expect(second.text).not.toContain("sent back");
    const { Messages = [] } = await sqs.send(new ReceiveMessageCommand({ QueueUrl: url(names.loading) }));
    expect(JSON.parse(Messages[0]?.Body ?? "")).toEqual({ promocodeId: "pcd_1", fileId: "fil_1", waits: 0 });
    expect(await visible(names.exporting)).toBe(1);
    expect((await visible(names.lostFiles)) + (await visible(names.lostExports))).toBe(0);
  });

  it("keeps to the queue that is named", async () => {
    await send(names.lostFiles, { promocodeId: "pcd_1", fileId: "fil_1", waits: 0 });
    await send(names.lostExports, { exportId: "exp_1" });

    const { text } = await redrive("--yes", "--queue", "exports");

    expect(text).not.toContain("code-files");
    expect(await visible(names.lostFiles)).toBe(1);
    expect(await visible(names.exporting)).toBe(1);
  });

  it("says what to do with what cannot be sent back, and leaves it", async () => {
    await send(names.lostBatches, { DDBStreamBatchInfo: { shardId: "shardId-7", batchSize: 250 } });

    const { isWell, text } = await redrive("--yes");

    expect(isWell).toBe(true);
    expect(text).toContain("250 changes of stream shard shardId-7");
    expect(text).toContain("npm run recount");
    expect(await visible(names.lostBatches)).toBe(1);
  });

  it("answers JSON for scripts", async () => {
    await send(names.lostExports, { exportId: "exp_1" });

    const { text } = await redrive("--json", "--queue", "exports");

    expect(JSON.parse(text)).toEqual([
      {
        queue: "exports",
        waiting: 1,
        letters: [{ about: "export exp_1", state: expect.any(String), ageMs: expect.any(Number) }],
      },
    ]);
  });
});
