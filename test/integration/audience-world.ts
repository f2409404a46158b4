import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  CreateTableCommand,
  DescribeTableCommand,
  DynamoDBClient,
  waitUntilTableExists,
} from "@aws-sdk/client-dynamodb";
import { GetObjectCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { SendMessageCommand, SQSClient } from "@aws-sdk/client-sqs";
import { mockClient } from "aws-sdk-client-mock";
import { ulid } from "ulid";
import type { AllocateAudienceOptions } from "../../functions/allocate-audience/allocate-audience.ts";
import type { DynamoDbEngine } from "../../local/dynamodb/engine.ts";
import { startS3 } from "../../local/s3/server.ts";
import { audienceColumns } from "../../shared/contract/audiences.ts";
import type { Promotion } from "../../shared/contract/promotions.ts";
import type { PersonalizedPromocode, StoredPromocode } from "../../shared/domain/promocode.ts";
import type { NewAudience } from "../../shared/storage/audiences.ts";
import { startTestBus } from "../support/event-bus.ts";
import { createTable } from "../support/table.ts";

const uploads = "uploads-bucket";
const exported = "exports-bucket";

/** A row of a result, by the names of its columns. */
export type ResultRow = Readonly<Record<(typeof audienceColumns)[number], string>>;

type Settings = Partial<PersonalizedPromocode["uniqueCodes"]>;

/** Table, buckets and queue of the job that allocates to audiences, and what a test does with them. */
export const anAudienceWorld = async (
  engine: DynamoDbEngine,
  { hasStream = true }: { readonly hasStream?: boolean } = {},
) => {
  const directory = await mkdtemp(join(tmpdir(), "audiences-s3-"));
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
    AUDIENCES_QUEUE_URL: "https://queues.test/audiences",
    POWERTOOLS_METRICS_DISABLED: "true",
  });
  const bus = await startTestBus();
  await createTable(engine);
  if (!hasStream) await useTableWithoutStream(engine);
  const client = new S3Client({ region, credentials, endpoint: server.endpoint, forcePathStyle: true });
  const sqs = mockClient(SQSClient);
  sqs.on(SendMessageCommand).resolves({});

  // Only now: these hold clients, and clients keep the first endpoint that they used.
  const { handler } = await import("../../functions/allocate-audience/handler.ts");
  const { allocateAudience } = await import("../../functions/allocate-audience/allocate-audience.ts");
  const { audiences } = await import("../../shared/storage/audiences.ts");
  const { promotions } = await import("../../shared/storage/promotions.ts");
  const { promocodes } = await import("../../shared/storage/promocodes.ts");
  const { generationsOf } = await import("../../shared/storage/generations.ts");
  const { cellsOfShard } = await import("../../shared/storage/cells.ts");
  const { publish } = await import("../support/pool.ts");
  const { allocateCode } = await import("../../shared/allocation/allocate-codes.ts");
  const { defaultsGivenTo } = await import("../../shared/storage/defaults-given.ts");
  const { s3 } = await import("../../shared/files/s3-client.ts");

  const world = {
    sqs,
    bus,
    /** The service's own client, for faults. */
    s3,
    audiences,
    promotions,
    promocodes,
    publish,
    defaultsGivenTo,

    async aPromotion(status: Promotion["status"] = "active"): Promise<Promotion> {
      const id = `prm_${ulid()}`;
      const now = "2026-11-23T00:00:00.000Z";
      return promotions.create(
        { promotionId: id, name: "Spring", status, createdAt: now, updatedAt: now },
        id,
      );
    },

    /** A personalized promocode of an active promotion, with these codes in its pool. */
    async aPromocode(
      codes: readonly string[],
      settings: Settings = {},
      promotion?: Promotion,
    ): Promise<PersonalizedPromocode> {
      const { promotionId } = promotion ?? (await world.aPromotion());
      const id = `pcd_${ulid()}`;
      const now = "2026-11-23T00:00:00.000Z";
      const promocode: StoredPromocode = {
        promocodeId: id,
        promotionId,
        type: "personalized",
        uniqueCodes: {
          allocationMethod: "Consistent",
          defaultCode: "DEFAULT",
          onExhausted: "default",
          ...settings,
        },
        salt: crypto.randomUUID().replaceAll("-", "").slice(0, 16),
        base: undefined,
        lastGeneration: 0,
        createdAt: now,
        updatedAt: now,
      };
      const created = (await promocodes.create(promocode, id)) as PersonalizedPromocode;
      return codes.length > 0 ? publish(created, codes) : created;
    },

    /** A code by a single call, as the API gives it. */
    async allocate({ promocodeId }: PersonalizedPromocode, customerId: string, occurenceId?: string) {
      return allocateCode(
        await promocodes.get(promocodeId),
        { customerId, ...(occurenceId !== undefined && { occurenceId }) },
        { idempotencyKey: undefined, now: new Date() },
      );
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

    /** An announced audience whose file is there; answers its id. */
    async anAudience(
      { promocodeId, promotionId }: PersonalizedPromocode,
      content: string | Uint8Array,
      options: Partial<NewAudience> = {},
    ): Promise<string> {
      const audienceId = `aud_${ulid()}`;
      const { key, versionId } = await world.put(
        `audience-uploads/${promocodeId}/${audienceId}.csv`,
        content,
      );
      await audiences.create({
        audienceId,
        promocodeId,
        promotionId,
        fileName: "audience.csv",
        source: "upload",
        mode: "allocate",
        occurenceId: null,
        seriesId: null,
        actionId: null,
        objectKey: key,
        versionId,
        createdAt: new Date().toISOString(),
        ...options,
      });
      return audienceId;
    },

    /** One run of the job, and what became of it. */
    run: async (audienceId: string, options: Partial<AllocateAudienceOptions> = {}) => {
      const delivery = { isLast: false, triesAreOver: false, timeLeftMs: () => 900_000 };
      return (await allocateAudience(audienceId, { ...delivery, ...options })).outcome;
    },

    /** Gives the function one message; false when it is to be delivered again. */
    async deliver(message: unknown, receives = 1): Promise<boolean> {
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
        { getRemainingTimeInMillis: () => 900_000 },
      );
      return batchItemFailures.length === 0;
    },

    /** Messages that the job sent since the last call. */
    sentMessages() {
      const sent = sqs.commandCalls(SendMessageCommand).map(({ args }) => args[0].input);
      sqs.resetHistory();
      return sent.map(({ QueueUrl, MessageBody }) => ({
        queue: QueueUrl?.split("/").at(-1) ?? "",
        message: JSON.parse(MessageBody ?? "") as Record<string, unknown>,
      }));
    },

    async find(audienceId: string) {
      const found = await audiences.find(audienceId, new Date());
      if (!found) throw new Error("there is no such audience");
      return found;
    },

    /** The rows of the finished result. */
    async resultOf(audienceId: string): Promise<readonly ResultRow[]> {
      const { result } = await world.find(audienceId);
      if (!result) throw new Error("there is no result");
      const { Body, ContentLength } = await client.send(
        new GetObjectCommand({ Bucket: exported, Key: result.objectKey }),
      );
      if (ContentLength !== result.bytes) throw new Error("the record and the object differ in size");
      const [header, ...lines] = ((await Body?.transformToString()) ?? "").trimEnd().split("\n");
      if (header !== audienceColumns.join(",")) throw new Error(`the first line is ${header}`);
      return lines.map((line) => {
        const cells = line.split(",");
        return Object.fromEntries(audienceColumns.map((name, at) => [name, cells[at] ?? ""])) as ResultRow;
      });
    },

    async rejectsOf(audienceId: string): Promise<string> {
      const { Body } = await client.send(
        new GetObjectCommand({ Bucket: exported, Key: `rejects/${audienceId}.csv` }),
      );
      return (await Body?.transformToString()) ?? "";
    },

    /** Everyone who holds a code of the pool: token and code, slot by slot. */
    async holders({ promocodeId }: { promocodeId: string }) {
      const held: { token: string; code: string }[] = [];
      for (const generation of await generationsOf(promocodeId))
        for (let shard = 0; shard < generation.shards; shard++)
          for await (const page of cellsOfShard(promocodeId, generation, shard))
            for (const { tokens, codes } of page)
              for (const [slot, token] of tokens.entries()) held.push({ token, code: codes[slot] ?? "" });
      return held;
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

/** For many writes: the engine looks through all records of a stream at each of them. */
const useTableWithoutStream = async ({ endpoint, region, credentials }: DynamoDbEngine): Promise<void> => {
  const client = new DynamoDBClient({ endpoint, region, credentials });
  const { Table } = await client.send(new DescribeTableCommand({ TableName: process.env.TABLE_NAME }));
  const TableName = `${process.env.TABLE_NAME}-plain`;
  await client.send(
    new CreateTableCommand({
      TableName,
      BillingMode: "PAY_PER_REQUEST",
      AttributeDefinitions: Table?.AttributeDefinitions,
      KeySchema: Table?.KeySchema,
    }),
  );
  await waitUntilTableExists({ client, minDelay: 0.02, maxDelay: 0.2, maxWaitTime: 10 }, { TableName });
  client.destroy();
  process.env.TABLE_NAME = TableName;
};

export type AudienceWorld = Awaited<ReturnType<typeof anAudienceWorld>>;
