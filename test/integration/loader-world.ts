import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { GetObjectCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { SendMessageCommand, SQSClient } from "@aws-sdk/client-sqs";
import { mockClient } from "aws-sdk-client-mock";
import type { DynamoDbEngine } from "../../local/dynamodb/engine.ts";
import { startS3 } from "../../local/s3/server.ts";
import type { Promotion } from "../../shared/contract/promotions.ts";
import type { PersonalizedPromocode, StoredPromocode } from "../../shared/domain/promocode.ts";
import { startTestBus } from "../support/event-bus.ts";
import { createTable } from "../support/table.ts";

const uploads = "uploads-bucket";
const exported = "exports-bucket";

/** Table, buckets and queues of a loader, and what a test does with them. */
export const aLoaderWorld = async (engine: DynamoDbEngine) => {
  const directory = await mkdtemp(join(tmpdir(), "loader-s3-"));
  const { region, credentials } = engine;
  const server = await startS3({
    directory,
    region,
    credentials,
    buckets: [
      { name: uploads, versioned: true },
      { name: exported, versioned: true },
    ],
  });
  Object.assign(process.env, {
    AWS_ENDPOINT_URL_S3: server.endpoint,
    UPLOADS_BUCKET: uploads,
    EXPORTS_BUCKET: exported,
    CODE_FILES_QUEUE_URL: "https://queues.test/code-files",
    WITHDRAWALS_QUEUE_URL: "https://queues.test/withdrawals",
    POWERTOOLS_METRICS_DISABLED: "true",
  });
  const bus = await startTestBus();
  const tableName = await createTable(engine);
  const client = new S3Client({ region, credentials, endpoint: server.endpoint, forcePathStyle: true });
  const sqs = mockClient(SQSClient);
  sqs.on(SendMessageCommand).resolves({});

  // Only now: these hold clients, and clients keep the first endpoint that they used.
  const { handler } = await import("../../functions/load-code-file/handler.ts");
  const { codeFiles } = await import("../../shared/storage/code-files.ts");
  const { promotions } = await import("../../shared/storage/promotions.ts");
  const { promocodes } = await import("../../shared/storage/promocodes.ts");
  const { generationsOf } = await import("../../shared/storage/generations.ts");
  const { cellsOfShard } = await import("../../shared/storage/cells.ts");
  const { cellsOf } = await import("../../shared/pool/generation.ts");
  const { isFull } = await import("../../shared/pool/cell.ts");

  const world = {
    tableName,
    sqs,
    bus,
    s3: client,

    async aPromotion(status: Promotion["status"] = "active"): Promise<Promotion> {
      const id = `prm_${crypto.randomUUID()}`;
      const now = "2026-11-23T00:00:00.000Z";
      return promotions.create(
        { promotionId: id, name: "Spring", status, createdAt: now, updatedAt: now },
        id,
      );
    },

    async aPromocode(promotion?: Promotion): Promise<PersonalizedPromocode> {
      const { promotionId } = promotion ?? (await world.aPromotion());
      const id = `pcd_${crypto.randomUUID()}`;
      const now = "2026-11-23T00:00:00.000Z";
      const promocode: StoredPromocode = {
        promocodeId: id,
        promotionId,
        type: "personalized",
        uniqueCodes: { allocationMethod: "Consistent", defaultCode: "DEFAULT", onExhausted: "default" },
        salt: crypto.randomUUID().replaceAll("-", "").slice(0, 16),
        base: undefined,
        lastGeneration: 0,
        createdAt: now,
        updatedAt: now,
      };
      return (await promocodes.create(promocode, id)) as PersonalizedPromocode;
    },

    async put(key: string, content: string | Uint8Array): Promise<{ key: string; versionId: string }> {
      const { VersionId } = await client.send(
        new PutObjectCommand({ Bucket: uploads, Key: key, Body: Buffer.from(content) }),
      );
      return { key, versionId: VersionId ?? "" };
    },

    /** What S3 sends to the queue for an object. */
    eventOf: ({ key, versionId }: { key: string; versionId: string }) => ({
      Records: [
        {
          eventTime: "2026-11-23T09:00:00.000Z",
          s3: {
            object: { key: encodeURIComponent(key).replaceAll("%20", "+").replaceAll("%2F", "/"), versionId },
          },
        },
      ],
    }),

    /** Gives the loader one message; false when it is to be delivered again. */
    async deliver(
      message: unknown,
      {
        receives = 1,
        timeLeftMs = () => 900_000,
      }: { readonly receives?: number; readonly timeLeftMs?: () => number } = {},
    ): Promise<boolean> {
      const { batchItemFailures } = await handler(
        {
          Records: [
            {
              messageId: "m",
              body: JSON.stringify(message),
              attributes: { ApproximateReceiveCount: String(receives) },
            },
          ],
        },
        { getRemainingTimeInMillis: timeLeftMs },
      );
      return batchItemFailures.length === 0;
    },

    /** Messages that the loader sent since the last call. */
    sentMessages() {
      const sent = sqs.commandCalls(SendMessageCommand).map(({ args }) => args[0].input);
      sqs.resetHistory();
      return sent.map(({ QueueUrl, MessageBody, DelaySeconds }) => ({
        queue: queueName(QueueUrl),
        message: JSON.parse(MessageBody ?? "") as Record<string, unknown>,
        delaySeconds: DelaySeconds ?? 0,
      }));
    },

    async drop(promocode: { promocodeId: string }, content: string | Uint8Array, name = "codes.csv") {
      const object = await world.put(`promocodes/${promocode.promocodeId}/${name}`, content);
      return { object, event: world.eventOf(object) };
    },

    /** Drops the file and lets the loader load it; answers its record. */
    async load(promocode: { promocodeId: string }, content: string | Uint8Array, name = "codes.csv") {
      const { object, event } = await world.drop(promocode, content, name);
      await world.deliver(event);
      return world.fileOf(promocode, object);
    },

    async files({ promocodeId }: { promocodeId: string }) {
      return (await codeFiles.list(promocodeId, { limit: 200, cursor: undefined })).items;
    },

    /** The record of an object. */
    async fileOf(promocode: { promocodeId: string }, { versionId }: { versionId: string }) {
      const file = (await world.files(promocode)).find((each) => each.versionId === versionId);
      if (!file) throw new Error("there is no record of this object");
      return file;
    },

    /** All codes that can be given out, and the sizes of their cells. */
    async pool({ promocodeId }: { promocodeId: string }) {
      const codes: string[] = [];
      let cells = 0;
      let free = 0;
      const generations = await generationsOf(promocodeId);
      for (const generation of generations) {
        cells += cellsOf(generation);
        for (let shard = 0; shard < generation.shards; shard++)
          for await (const page of cellsOfShard(promocodeId, generation, shard))
            for (const cell of page) {
              codes.push(...cell.codes);
              if (!isFull(cell)) free += cell.capacity;
            }
      }
      return { generations, cells, free, codes: codes.sort() };
    },

    async rejectsOf(fileId: string): Promise<string> {
      const { Body } = await client.send(
        new GetObjectCommand({ Bucket: exported, Key: `rejects/${fileId}.csv` }),
      );
      return (await Body?.transformToString()) ?? "";
    },

    async close(): Promise<void> {
      sqs.restore();
      client.destroy();
      await bus.close();
      await server.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
  return world;
};

export type LoaderWorld = Awaited<ReturnType<typeof aLoaderWorld>>;

const queueName = (url: string | undefined): string => url?.split("/").at(-1) ?? "";

export const numbered = (count: number, prefix = "CODE-"): string[] =>
  Array.from({ length: count }, (_, index) => `${prefix}${index}`);
