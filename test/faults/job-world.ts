import { createHash } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ConditionalCheckFailedException, DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { GetObjectCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { BatchWriteCommand, DynamoDBDocumentClient, UpdateCommand } from "@aws-sdk/lib-dynamodb";
import type { SQSBatchResponse } from "aws-lambda";
import { ulid } from "ulid";
import { expect, vi } from "vitest";
import type { AllocateAudienceOptions } from "../../functions/allocate-audience/allocate-audience.ts";
import type { DynamoDbEngine } from "../../local/dynamodb/engine.ts";
import { type EventSource, startQueueSource } from "../../local/events/queue-source.ts";
import { FunctionError } from "../../local/functions/function-error.ts";
import type { Message } from "../../local/queues/message.ts";
import type { Queue } from "../../local/queues/queue.ts";
import { openQueueStore } from "../../local/queues/queue-store.ts";
import { startSqsServer } from "../../local/queues/sqs-server.ts";
import { startS3 } from "../../local/s3/server.ts";
import type { Allocation } from "../../shared/contract/allocations.ts";
import type { Promocode, UniqueCodes } from "../../shared/contract/promocodes.ts";
import type { Promotion } from "../../shared/contract/promotions.ts";
import type { QueueName } from "../../shared/contract/route.ts";
import type { AllocationContext } from "../../shared/domain/allocation-context.ts";
import { environmentNames } from "../../shared/environment.ts";
import { mostReceives } from "../../shared/queues/most-receives.ts";
import { encodeStamp, newCellItem } from "../../shared/storage/cells.ts";
import { keys } from "../../shared/storage/table.ts";
import { callApi } from "../support/api-call.ts";
import { someCodes } from "../support/codes.ts";
import { startTestBus } from "../support/event-bus.ts";
import { createTable } from "../support/table.ts";
import { type FaultProxy, startFaultProxy } from "./fault-proxy.ts";
import { type Expected, provePool } from "./prove-pool.ts";
import { startProcess } from "./start-process.ts";
import { inShards, streamRecordsOf } from "./stream-records.ts";

/** What may take a moment, and longer on a machine that is slow. */
const patience = { timeout: 60_000, interval: 25 };

const uploads = "uploads";
const exported = "exports";
const queueNames = ["code-files", "audiences", "exports", "withdrawals"] as const satisfies QueueName[];
/** A queue whose function is tried here. */
export type JobQueue = (typeof queueNames)[number];
/**
 * Longer than any run, as in the stack. A message whose function failed or died is made visible at once instead of
 * being waited for.
 */
const visibilityTimeoutSeconds = 3_600;

/** The id of a promocode and of the promotion it belongs to. */
export interface Owner {
  readonly promotionId: string;
  readonly promocodeId: string;
}

/** Until a function is ended, in milliseconds. */
type Clock = () => number;
const muchTime: Clock = () => 900_000;

/** The functions of the queues, in a process of their own. */
export interface JobProcess {
  /** Between its code and the table, and S3. */
  readonly table: FaultProxy;
  readonly s3: FaultProxy;
  /** Hands it messages, as Lambda does. Throws `FunctionError` when the process dies over it. */
  run(queue: JobQueue, messages: readonly Message[], timeLeftMs?: Clock): Promise<SQSBatchResponse>;
  /** Hands it one message; true when that was worked off. */
  work(queue: JobQueue, message: Message, timeLeftMs?: Clock): Promise<boolean>;
  /** One run of the audience's job, with parts of another size than a message asks for. */
  allocateTo(audienceId: string, sizes: AudienceSizes): Promise<unknown>;
  /** `kill -9`: nothing comes out of it any more. */
  kill(): void;
}

type AudienceSizes = Required<Pick<AllocateAudienceOptions, "partBytes" | "customersAtOnce">>;

export interface WorkingOff {
  /** Who gets the next invocation. */
  readonly process: JobProcess | (() => JobProcess);
  /** A clock for each invocation. @default much time */
  readonly clock?: () => Clock;
  /** Messages of an invocation. @default 1, as in the stack */
  readonly batchSize?: number;
  /** Invocations side by side. @default 2 */
  readonly concurrency?: number;
}

/** Table, buckets and queues, their wires, and the functions that the queues feed. */
export const aJobWorld = async (engine: DynamoDbEngine, { hasStream = true } = {}) => {
  const { region, credentials } = engine;
  const directory = await mkdtemp(join(tmpdir(), "faults-"));
  const queues = await openQueueStore(join(directory, "queues"), queueFacts());
  const sqsServer = await startSqsServer();
  sqsServer.serve(queues);
  /** Versions of objects whose event is in the queue. */
  const told = new Set<string>();
  const s3Server = await startS3({
    directory: join(directory, "s3"),
    region,
    credentials,
    buckets: [
      {
        name: uploads,
        versioned: true,
        notify: async (record) => {
          const isAudience = /^audience/.test(record.s3.object.key);
          await queues
            .named(isAudience ? "audiences" : "code-files")
            .send(JSON.stringify({ Records: [record] }));
          told.add(record.s3.object.versionId ?? "");
        },
      },
      { name: exported, versioned: true },
    ],
  });
  const wires: FaultProxy[] = [];
  const aWire = async (endpoint: string) => {
    const wire = await startFaultProxy(endpoint);
    wires.push(wire);
    return wire;
  };
  /** One for all processes: the queues' addresses are in the environment, which they share. */
  const sqs = await aWire(sqsServer.endpoint);
  Object.assign(process.env, {
    UPLOADS_BUCKET: uploads,
    EXPORTS_BUCKET: exported,
    AWS_ENDPOINT_URL_SQS: sqs.endpoint,
    ...Object.fromEntries(
      queueNames.map((name) => [environmentNames[name], `${sqs.endpoint}/000000000000/${name}`]),
    ),
  });
  const bus = await startTestBus();
  const tableName = await createTable(engine, { hasStream });
  const table = { engine, tableName };
  const documents = DynamoDBDocumentClient.from(
    new DynamoDBClient({ endpoint: engine.endpoint, region, credentials: { ...credentials } }),
  );
  const s3 = new S3Client({
    endpoint: s3Server.endpoint,
    region,
    credentials: { ...credentials },
    forcePathStyle: true,
  });

  const load = async <Modules>(
    endpoints: { readonly table: string; readonly s3: string },
    modules: () => Promise<Modules>,
  ) => {
    process.env.AWS_ENDPOINT_URL_S3 = endpoints.s3;
    return startProcess(endpoints.table, async () => {
      const loaded = await modules();
      // This client too looks for its endpoint at its first request and keeps it.
      const { lastModifiedOf } = await import("../../shared/files/buckets.ts");
      await lastModifiedOf({ objectKey: "none", versionId: null });
      return loaded;
    });
  };
  const unharmed = await load({ table: engine.endpoint, s3: s3Server.endpoint }, async () => ({
    createPromotion: (await import("../../functions/create-promotion/handler.ts")).handler,
    archivePromotion: (await import("../../functions/archive-promotion/handler.ts")).handler,
    createPromocode: (await import("../../functions/create-promocode/handler.ts")).handler,
    createCodeFile: (await import("../../functions/create-code-file/handler.ts")).handler,
    withdrawCodeFile: (await import("../../functions/withdraw-code-file/handler.ts")).handler,
    allocateCode: (await import("../../functions/allocate-code/handler.ts")).handler,
    exportPromocode: (await import("../../functions/export-promocode/handler.ts")).handler,
    createAudience: (await import("../../functions/create-audience/handler.ts")).handler,
    countAllocations: (await import("../../functions/count-allocations/handler.ts")).handler,
    ...(await import("../../shared/storage/code-files.ts")),
    ...(await import("../../shared/storage/exports.ts")),
    ...(await import("../../shared/storage/audiences.ts")),
    ...(await import("../../shared/storage/audiences-of-promocode.ts")),
  }));

  const world = {
    s3,
    sqs,
    queues,
    uploads,
    exported,

    async aPromocode(uniqueCodes: Partial<UniqueCodes> = {}): Promise<Owner> {
      const promotion = await callApi<Promotion>(unharmed.createPromotion, "createPromotion", {
        body: { name: "Faults", status: "active" },
      });
      const { promotionId } = promotion.body;
      const promocode = await callApi<Promocode>(unharmed.createPromocode, "createPromocode", {
        body: { promotionId, type: "personalized", uniqueCodes: { defaultCode: "DEFAULT", ...uniqueCodes } },
      });
      return { promotionId, promocodeId: promocode.body.promocodeId };
    },

    async archive({ promotionId }: Owner): Promise<void> {
      await callApi(unharmed.archivePromotion, "archivePromotion", { path: { promotionId } });
    },

    /** Puts a file into the uploads bucket and waits until S3 has told the queue. Answers the object's version. */
    async put(objectKey: string, content: string): Promise<{ objectKey: string; versionId: string }> {
      const { VersionId = "" } = await s3.send(
        new PutObjectCommand({ Bucket: uploads, Key: objectKey, Body: Buffer.from(content) }),
      );
      await world.until(async () => expect(told).toContain(VersionId));
      return { objectKey, versionId: VersionId };
    },

    drop: ({ promocodeId }: Owner, codes: readonly string[], name = "codes.csv") =>
      world.put(`promocodes/${promocodeId}/${name}`, codes.join("\n")),

    /** The next message of a queue, hidden from others until it is given back or done. */
    async take(queue: JobQueue): Promise<Message> {
      const [message] = await queues.named(queue).receive({ max: 1, waitMs: 60_000 });
      if (!message) throw new Error(`nothing came through the queue ${queue}`);
      return message;
    },

    /** Whatever is to be had now. */
    takeRest: (queue: JobQueue): Promise<readonly Message[]> => queues.named(queue).receive({ max: 10 }),

    /** Its visibility time-out is over. */
    async giveBack(queue: JobQueue, { receipt = "" }: Message): Promise<void> {
      await queues.named(queue).changeVisibility(receipt, 0);
    },

    /** The visibility time-out of whatever is being worked on is over. */
    async giveBackAll(queue: JobQueue): Promise<void> {
      for (const message of queues.named(queue).messages())
        if (message.receipt !== undefined) await world.giveBack(queue, message);
    },

    async done(queue: JobQueue, { receipt = "" }: Message): Promise<void> {
      await queues.named(queue).delete(receipt);
    },

    /** The same once more. */
    async repeat(queue: JobQueue, { body }: Pick<Message, "body">): Promise<void> {
      await queues.named(queue).send(body);
    },

    async aProcess(): Promise<JobProcess> {
      const onTable = await aWire(engine.endpoint);
      const onS3 = await aWire(s3Server.endpoint);
      const handlers = await load({ table: onTable.endpoint, s3: onS3.endpoint }, async () => ({
        "code-files": (await import("../../functions/load-code-file/handler.ts")).handler,
        audiences: (await import("../../functions/allocate-audience/handler.ts")).handler,
        exports: (await import("../../functions/build-export/handler.ts")).handler,
        withdrawals: (await import("../../functions/seal-code-file/handler.ts")).handler,
        ...(await import("../../functions/allocate-audience/allocate-audience.ts")),
      }));
      const kill = () => {
        onTable.crash();
        onS3.crash();
      };
      const died = Promise.race([onTable.crashed, onS3.crashed]).then(() => {
        kill();
        throw new FunctionError("Runtime.ExitError", "the process died");
      });
      died.catch(() => {});
      const run: JobProcess["run"] = async (queue, messages, timeLeftMs = muchTime) =>
        Promise.race([
          handlers[queue]({ Records: messages.map(recordOf) }, { getRemainingTimeInMillis: timeLeftMs }),
          died,
        ]);
      return {
        table: onTable,
        s3: onS3,
        run,
        work: async (queue, message, timeLeftMs) => {
          const { batchItemFailures } = await run(queue, [message], timeLeftMs);
          return batchItemFailures.length === 0;
        },
        allocateTo: (audienceId, sizes) =>
          Promise.race([
            handlers.allocateAudience(audienceId, {
              isLast: false,
              triesAreOver: false,
              timeLeftMs: muchTime,
              ...sizes,
            }),
            died,
          ]),
        kill,
      };
    },

    /** Has processes work off all queues, as Lambda's event sources do, until `stop`. */
    workOff({
      process: given,
      clock = () => muchTime,
      batchSize = 1,
      concurrency = 2,
    }: WorkingOff): EventSource {
      const next = typeof given === "function" ? given : () => given;
      const sources = queueNames.map((name) =>
        startQueueSource({
          facts: {
            logicalId: name,
            functionArn: name,
            queueArn: arn(name),
            batchSize,
            batchingWindowSeconds: 0,
            reportsItemFailures: true,
            maximumConcurrency: concurrency,
            filters: [],
          },
          queue: queues.named(name),
          region,
          invoke: async (_, event) => {
            const { Records } = JSON.parse(event) as { Records: readonly LambdaRecord[] };
            const comeBack = (failed: readonly LambdaRecord[]) =>
              Promise.all(
                // Whoever got it meanwhile has another receipt: it is theirs then.
                failed.map(({ receiptHandle }) =>
                  queues
                    .named(name)
                    .changeVisibility(receiptHandle, 0)
                    .catch(() => {}),
                ),
              );
            try {
              const answer = await next().run(name, Records.map(messageOf), clock());
              const failed = new Set(answer.batchItemFailures.map(({ itemIdentifier }) => itemIdentifier));
              await comeBack(Records.filter(({ messageId }) => failed.has(messageId)));
              return answer;
            } catch (error) {
              await comeBack(Records);
              throw error;
            }
          },
        }),
      );
      return {
        stop: async () => {
          await Promise.all(sources.map((source) => source.stop()));
        },
      };
    },

    /** Until all queues are empty but for dead letters. */
    async workedOff(working: WorkingOff): Promise<void> {
      const source = world.workOff(working);
      try {
        await world.queuesAreEmpty();
      } finally {
        await source.stop();
      }
    },

    queuesAreEmpty: () =>
      world.until(async () => {
        expect(queueNames.flatMap((name) => [...queues.named(name).messages()])).toEqual([]);
      }),

    until: <Answer>(holds: () => Promise<Answer>): Promise<Answer> => vi.waitFor(holds, patience),

    deadLetters: (queue: JobQueue): readonly Message[] => [...queues.named(`${queue}-dead`).messages()],

    /** What `start-message-move-task` does: dead letters begin anew. */
    async redrive(queue: JobQueue): Promise<number> {
      const dead = queues.named(`${queue}-dead`);
      const moved = await dead.receive({ max: 10 });
      for (const { body, receipt = "" } of moved) {
        await queues.named(queue).send(body);
        await dead.delete(receipt);
      }
      return moved.length;
    },

    /** What a minute brings about: the lock of a load that died, if it had one, has run out. */
    async letLockRunOut({ promocodeId }: Owner): Promise<void> {
      const sent = documents.send(
        new UpdateCommand({
          TableName: tableName,
          Key: keys.loadLock(promocodeId),
          UpdateExpression: "SET deadline = :past",
          ConditionExpression: "attribute_exists(deadline)",
          ExpressionAttributeValues: { ":past": 1 },
        }),
      );
      await sent.catch((error: unknown) => {
        if (!(error instanceof ConditionalCheckFailedException)) throw error;
      });
    },

    async filesOf({ promocodeId }: Owner) {
      return (await unharmed.codeFiles.list(promocodeId, { limit: 200, cursor: undefined })).items;
    },

    async statusesOf(owner: Owner): Promise<readonly string[]> {
      return (await world.filesOf(owner)).map(({ status }) => status);
    },

    async onlyFileOf(owner: Owner) {
      const files = await world.filesOf(owner);
      expect(files).toHaveLength(1);
      return files[0]!;
    },

    /** Announces an upload; answers the file's id and its key. */
    async announce({ promocodeId }: Owner): Promise<{ fileId: string; objectKey: string }> {
      const { body } = await callApi<{ file: { fileId: string }; upload: { fields: { key: string } } }>(
        unharmed.createCodeFile,
        "createCodeFile",
        { path: { promocodeId }, body: { fileName: "codes.csv" } },
      );
      return { fileId: body.file.fileId, objectKey: body.upload.fields.key };
    },

    /** A promocode all of whose codes somebody holds, put into the table as they are: an export has a row of each. */
    async aPoolGivenOut(
      count: number,
      context: AllocationContext,
    ): Promise<Owner & { codes: readonly string[] }> {
      const owner = await world.aPromocode();
      const { promocodeId } = owner;
      const codes = someCodes(count);
      const perCell = 13;
      const cells = Math.ceil(count / perCell);
      const generation = {
        number: 1,
        fileId: `fil_${ulid()}`,
        attempt: 1,
        codes: count,
        shards: 16,
        cellsPerShard: Math.ceil(cells / 16),
        status: "published" as const,
      };
      const contextId = "abcde";
      const stamp = encodeStamp({ at: Date.UTC(2026, 10, 23, 12), contextId });
      const cellItems = Array.from({ length: 16 * generation.cellsPerShard }, (_, at) => {
        const texts = codes.slice(at * perCell, (at + 1) * perCell);
        const shard = Math.floor(at / generation.cellsPerShard);
        const address = { generation: 1, attempt: 1, shard, cell: at % generation.cellsPerShard };
        return {
          ...newCellItem(promocodeId, address, texts),
          u: texts.map((code) => `customer-of-${code}`),
          t: texts.map(() => stamp),
        };
      });
      const items = [
        ...cellItems,
        { ...keys.generation(promocodeId, 1), ...generation },
        { ...keys.context(promocodeId, contextId), contextId, ...context },
      ];
      for (let at = 0; at < items.length; at += 25)
        await documents.send(
          new BatchWriteCommand({
            RequestItems: {
              [tableName]: items.slice(at, at + 25).map((Item) => ({ PutRequest: { Item } })),
            },
          }),
        );
      return { ...owner, codes };
    },

    withdraw: ({ promocodeId }: Owner, fileId: string) =>
      callApi(unharmed.withdrawCodeFile, "withdrawCodeFile", { path: { promocodeId, fileId } }),

    async allocate({ promocodeId }: Owner, customerId: string): Promise<Allocation> {
      const { body } = await callApi<Allocation>(unharmed.allocateCode, "allocateCode", {
        path: { promocodeId },
        body: { customerId },
      });
      return body;
    },

    allocateRaw: ({ promocodeId }: Owner, customerId: string) =>
      callApi<Record<string, unknown>>(unharmed.allocateCode, "allocateCode", {
        path: { promocodeId },
        body: { customerId },
      }),

    async askForExport({ promocodeId }: Owner): Promise<string> {
      const { body } = await callApi<{ exportId: string }>(unharmed.exportPromocode, "exportPromocode", {
        path: { promocodeId },
        body: {},
      });
      return body.exportId;
    },

    exportOf: (exportId: string) => unharmed.getExport(exportId, new Date()),

    /** The text of an export that succeeded, which must be what its record says. */
    async exportedText(exportId: string): Promise<string> {
      const { status, objectKey, sha256, bytes } = await world.exportOf(exportId);
      expect(status).toBe("succeeded");
      const text = await world.textOf(objectKey);
      expect([Buffer.byteLength(text), createHash("sha256").update(text).digest("hex")]).toEqual([
        bytes,
        sha256,
      ]);
      return text;
    },

    async textOf(objectKey: string | null | undefined): Promise<string> {
      const { Body } = await s3.send(new GetObjectCommand({ Bucket: exported, Key: objectKey ?? "" }));
      return (await Body?.transformToString()) ?? "";
    },

    /** Drops an audience; answers a look for its id, for when its event was taken. */
    async dropAudience({ promocodeId }: Owner, ids: readonly string[]): Promise<() => Promise<string>> {
      await world.put(`audiences/${promocodeId}/audience.csv`, ["customerId", ...ids].join("\n"));
      return async () => {
        const audiences = await world.audiencesOf({ promocodeId });
        expect(audiences).toHaveLength(1);
        return audiences[0]!.audienceId;
      };
    },

    /** An announced audience whose file is there, and whose event nobody will work off; answers its id. */
    async announceAudience(
      { promocodeId }: Owner,
      ids: readonly string[],
      context: AllocationContext,
    ): Promise<string> {
      const { body } = await callApi<{
        audience: { audienceId: string };
        upload: { fields: { key: string } };
      }>(unharmed.createAudience, "createAudience", {
        path: { promocodeId },
        body: { fileName: "audience.csv", ...context },
      });
      const { audienceId } = body.audience;
      const object = await world.put(body.upload.fields.key, ["customerId", ...ids].join("\n"));
      await world.done("audiences", await world.take("audiences"));
      await unharmed.audiences.queueUpload(audienceId, object);
      return audienceId;
    },

    async audiencesOf({ promocodeId }: Pick<Owner, "promocodeId">) {
      const page = { limit: 200, cursor: undefined };
      return (await unharmed.audiencesOfPromocode(promocodeId, page, new Date())).items;
    },

    /** Customer and code of each row of an export or a result. */
    holdersIn: (csv: string): readonly string[] =>
      csv
        .trimEnd()
        .split("\n")
        .slice(1)
        .map((row) => row.split(","))
        .map(([customerId, , , , uniqueCode]) => `${customerId},${uniqueCode}`)
        .sort(),

    audienceOf: (audienceId: string) => unharmed.audiences.get(audienceId, new Date()),

    /** Has the counter take all of the table's stream. What it took before it counts no second time. */
    async countStream(): Promise<void> {
      for (const [shardId, records] of inShards(await streamRecordsOf(table), 1))
        await unharmed.countAllocations({ shardId, Records: JSON.parse(JSON.stringify(records)) });
    },

    /** The pool, proved on the raw table. */
    prove: ({ promocodeId }: Owner, expected: Expected) => provePool(table, promocodeId, expected),

    async close(): Promise<void> {
      await Promise.all(wires.splice(0).map((wire) => wire.close()));
      documents.destroy();
      s3.destroy();
      await bus.close();
      await s3Server.close();
      await sqsServer.close();
      await bus.close();
      await queues.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
  return world;
};

export type JobWorld = Awaited<ReturnType<typeof aJobWorld>>;

const arn = (name: string) => `arn:aws:sqs:us-east-1:000000000000:${name}`;

const queueFacts = (): readonly Queue["facts"][] =>
  queueNames.flatMap((name) => [
    {
      ...ordinary(name),
      deadLetter: { queueArn: arn(`${name}-dead`), maxReceiveCount: mostReceives },
    },
    ordinary(`${name}-dead`),
  ]);

const ordinary = (name: string): Queue["facts"] => ({
  logicalId: name,
  name,
  arn: arn(name),
  visibilityTimeoutSeconds,
  retentionSeconds: 3_600,
  delaySeconds: 0,
  maxMessageBytes: 1_048_576,
  receiveWaitSeconds: 0,
});

interface LambdaRecord {
  readonly messageId: string;
  readonly receiptHandle: string;
  readonly body: string;
  readonly attributes: { readonly ApproximateReceiveCount: string };
}

const recordOf = ({ id, receipt = "", body, receiveCount }: Message): LambdaRecord => ({
  messageId: id,
  receiptHandle: receipt,
  body,
  attributes: { ApproximateReceiveCount: String(receiveCount) },
});

const messageOf = ({ messageId, receiptHandle, body, attributes }: LambdaRecord): Message => ({
  id: messageId,
  receipt: receiptHandle,
  body,
  attributes: {},
  sentAt: 0,
  visibleAt: 0,
  receiveCount: Number(attributes.ApproximateReceiveCount),
});
