import { ConditionalCheckFailedException } from "@aws-sdk/client-dynamodb";
import { GetCommand, UpdateCommand } from "@aws-sdk/lib-dynamodb";
import * as z from "zod";
import {
  type AudienceFailureCode,
  audienceFailureCodes,
  audienceLifeDays,
  audienceStatuses,
} from "../contract/audiences.ts";
import { timestampSchema } from "../contract/conventions.ts";
import type { EventName } from "../contract/events.ts";
import { allocationMethods } from "../contract/promocodes.ts";
import { audienceNotFound } from "../domain/failures.ts";
import { batchGet } from "./batch-get.ts";
import { dynamoDb, tableName } from "./client.ts";
import { markTold } from "./mark-told.ts";
import { queryAll } from "./query-all.ts";
import { keys, partitions, prefixes, tableAttributes } from "./table.ts";
import { transactWrite } from "./transact-write.ts";

const count = z.int().min(0);
const failureSchema = z.object({ code: z.enum(audienceFailureCodes), message: z.string() });

/** What became of the customers that the job has come to. Together they are as many as these. */
const countsSchema = z.object({ pool: count, repeated: count, default: count, refused: count });

const checkpointSchema = z.object({
  /** As it was when the job began: a part that is done again must find its own allocations. */
  allocationMethod: z.enum(allocationMethods),
  /** Of the customers in the job's order: another one, and the positions mean nothing. */
  fingerprint: count,
  /** Customers before this position, in the job's order, have their row in a part of the result. */
  position: count,
  counts: countsSchema,
  /** The result so far: one multipart upload, its parts in order. */
  objectKey: z.string(),
  uploadId: z.string(),
  parts: z.array(z.string()),
  bytes: count,
  /** Why no customer from here on gets a code: the promotion stopped being active. */
  stopped: failureSchema.nullable(),
});

const itemSchema = z.object({
  audienceId: z.string(),
  promocodeId: z.string(),
  promotionId: z.string(),
  fileName: z.string(),
  source: z.enum(["upload", "drop"]),
  mode: z.enum(["allocate", "preview"]),
  occurenceId: z.string().nullable(),
  seriesId: z.string().nullable(),
  actionId: z.string().nullable(),
  status: z.enum(audienceStatuses),
  /** The object in the uploads bucket, and the one version of it that counts; null before it is there. */
  objectKey: z.string().nullable(),
  versionId: z.string().nullable(),
  /** How often it was begun; 0 before the first run. Only the newest run may change the record. */
  attempt: z.int(),
  checkpoint: checkpointSchema.optional(),
  /** Of the file; `customers` are the different ones among its valid rows. */
  rows: z.object({ read: count, customers: count, repeatedInFile: count, rejected: count }),
  /** The first refused rows. */
  problems: z.array(z.object({ line: z.int(), reason: z.string() })),
  counts: countsSchema,
  /** Customers whom a preview that is under way has looked up; absent in older records. */
  looked: count.default(0),
  /** The finished result in the exports bucket; null for a preview, and for an audience that never had any. */
  result: z.object({ objectKey: z.string(), rows: count, bytes: count }).nullable(),
  preview: z
    .object({ customers: count, held: count, free: count, missing: count, sentence: z.string() })
    .nullable(),
  failure: failureSchema.nullable(),
  createdAt: timestampSchema,
  /** When the first run began, absent before: the time of every allocation of the job. */
  startedAt: timestampSchema.nullable().default(null),
  completedAt: timestampSchema.nullable(),
  /** What the bus was told last of what became of it. */
  told: z.enum(["AudienceReady", "AudienceFailed"]).optional(),
  /** Epoch seconds; the result lives as long. */
  [tableAttributes.timeToLive]: z.int(),
});

/** An audience as it is stored. */
export type StoredAudience = Readonly<z.infer<typeof itemSchema>>;

export const audienceOf = (item: unknown): StoredAudience => itemSchema.parse(item);

/** How far a run came; the next one goes on from there. */
export type AudienceCheckpoint = Readonly<z.infer<typeof checkpointSchema>>;

export type AudienceCounts = Readonly<z.infer<typeof countsSchema>>;
export type AudienceFailure = Readonly<z.infer<typeof failureSchema>>;

export type NewAudience = Pick<
  StoredAudience,
  | "audienceId"
  | "promocodeId"
  | "promotionId"
  | "fileName"
  | "source"
  | "mode"
  | "occurenceId"
  | "seriesId"
  | "actionId"
  | "objectKey"
  | "versionId"
  | "createdAt"
>;

/** Names an audience and the run that works on it. */
export type AudienceRun = Pick<StoredAudience, "audienceId" | "attempt">;

/** What a run tells while it works. */
export type AudienceProgress = Partial<Pick<StoredAudience, "rows" | "problems" | "counts" | "looked">>;

/** The audience failed by a fault of the service: a message that comes again may begin it again. */
export const faultOfService = "audience-failed" satisfies AudienceFailureCode;

const secondsPerDay = 86_400;
const noRows = { read: 0, customers: 0, repeatedInFile: 0, rejected: 0 };
const noCounts: AudienceCounts = { pool: 0, repeated: 0, default: 0, refused: 0 };

const thisRunOwnsIt = "#status = :running AND attempt = :attempt";
const itCanBegin = "#status IN (:queued, :running) OR (#status = :failed AND failure.#code = :fault)";

export const audiences = {
  /** Stores a new audience; one that is there already, by a repeated event or request, is answered as it is. */
  async create(audience: NewAudience): Promise<StoredAudience> {
    const stored: Omit<StoredAudience, "startedAt"> = {
      ...audience,
      status: audience.objectKey === null ? "awaiting-upload" : "queued",
      attempt: 0,
      rows: noRows,
      problems: [],
      counts: noCounts,
      looked: 0,
      result: null,
      preview: null,
      failure: null,
      completedAt: null,
      expiresAt: Math.ceil(Date.parse(audience.createdAt) / 1000) + audienceLifeDays * secondsPerDay,
    };
    const unwritten = await transactWrite([
      {
        Put: {
          TableName: tableName(),
          Item: { ...keys.audience(audience.audienceId), ...stored },
          ConditionExpression: "attribute_not_exists(pk)",
        },
      },
      { Put: { TableName: tableName(), Item: entryOf(stored) } },
    ]);
    const known = unwritten && (await read(audience.audienceId));
    return known ?? { ...stored, startedAt: null };
  },

  /** Strongly consistent; undefined when there is none, and for one whose time is over. */
  async find(audienceId: string, now: Date): Promise<StoredAudience | undefined> {
    const found = await read(audienceId);
    return found && found.expiresAt * 1000 > now.getTime() ? found : undefined;
  },

  /** Strongly consistent; `audience-not-found` when there is none, or its time is over. */
  async get(audienceId: string, now: Date): Promise<StoredAudience> {
    const found = await audiences.find(audienceId, now);
    if (!found) throw audienceNotFound(audienceId);
    return found;
  },

  /** The audience of an object, found by reading all of the promocode's. Strongly consistent. */
  async findOfObject(
    promocodeId: string,
    { objectKey, versionId }: Pick<StoredAudience, "objectKey" | "versionId">,
  ): Promise<StoredAudience | undefined> {
    const entries = await queryAll(partitions.audiencesOf(promocodeId), prefixes.audience);
    const records = await batchGet(
      entries.map(({ audienceId }) => keys.audience(String(audienceId))),
      { consistent: true },
    );
    return records
      .map(audienceOf)
      .find((audience) => audience.objectKey === objectKey && audience.versionId === versionId);
  },

  /** The announced upload is there: only the first version counts. Answers the audience as it is after this. */
  async queueUpload(
    audienceId: string,
    object: { readonly objectKey: string; readonly versionId: string | null },
  ): Promise<StoredAudience | undefined> {
    const queued = await update(audienceId, {
      set: { status: "queued", ...object },
      onlyIf: "#status = :awaiting",
      values: { ":awaiting": "awaiting-upload" },
    });
    return queued ?? read(audienceId);
  },

  /**
   * Begins the next run: from now on every earlier one is refused. Answers the audience as it is then, with the
   * checkpoint of the run before; undefined when there is nothing to do.
   */
  begin(audienceId: string, now: Date): Promise<StoredAudience | undefined> {
    return update(audienceId, {
      set: { status: "running", failure: null, completedAt: null },
      begunAt: now.toISOString(),
      onlyIf: itCanBegin,
      names: { "#code": "code" },
      values: { ":queued": "queued", ":failed": "failed", ":fault": faultOfService, ":running": "running" },
    });
  },

  /** Tells how far the run is; false when the audience is not this run's any more. */
  async report(run: AudienceRun, progress: AudienceProgress): Promise<boolean> {
    return (await updateOwn(run, progress)) !== undefined;
  },

  /** Leaves a checkpoint to the next run; false when the audience is not this run's any more. */
  async leave(
    run: AudienceRun,
    checkpoint: AudienceCheckpoint,
    progress: AudienceProgress,
  ): Promise<boolean> {
    return (await updateOwn(run, { ...progress, checkpoint })) !== undefined;
  },

  /** The end of a job, with its result or what a preview found; false when the audience is not this run's any more. */
  async complete(
    run: AudienceRun,
    outcome: Partial<Pick<StoredAudience, "rows" | "counts" | "result" | "preview" | "failure">>,
    now: Date,
  ): Promise<boolean> {
    const status = outcome.failure ? ("failed" as const) : ("succeeded" as const);
    const ended = { ...outcome, status, completedAt: now.toISOString() };
    return (await updateOwn(run, ended, "checkpoint")) !== undefined;
  },

  /** Ends a job that has no result. The checkpoint stays, for a run that may begin it again. */
  async fail(
    run: AudienceRun,
    failure: AudienceFailure,
    progress: AudienceProgress,
    now: Date,
  ): Promise<boolean> {
    const ended = { ...progress, status: "failed" as const, failure, completedAt: now.toISOString() };
    return (await updateOwn(run, ended)) !== undefined;
  },

  /** The event is on the bus. It changes nothing else, whatever the audience has come to meanwhile. */
  markTold: ({ audienceId }: Pick<StoredAudience, "audienceId">, told: EventName): Promise<void> =>
    markTold(keys.audience(audienceId), told),
};

/** In its promocode's list: the record is found by its id alone, and whoever drops a file does not know that. */
const entryOf = ({
  promocodeId,
  audienceId,
  expiresAt,
}: Pick<StoredAudience, "promocodeId" | "audienceId" | "expiresAt">) => ({
  ...keys.audienceOfPromocode(promocodeId, audienceId),
  audienceId,
  expiresAt,
});

const read = async (audienceId: string): Promise<StoredAudience | undefined> => {
  const { Item } = await dynamoDb.send(
    new GetCommand({ TableName: tableName(), Key: keys.audience(audienceId), ConsistentRead: true }),
  );
  return Item && itemSchema.parse(Item);
};

interface Change {
  readonly set: Readonly<Partial<StoredAudience>>;
  readonly remove?: string;
  /** Begins the next attempt; the first one sets the start for good. */
  readonly begunAt?: string;
  readonly onlyIf: string;
  readonly names?: Readonly<Record<string, string>>;
  readonly values: Readonly<Record<string, unknown>>;
}

const updateOwn = (
  { audienceId, attempt }: AudienceRun,
  set: Change["set"],
  remove?: string,
): Promise<StoredAudience | undefined> =>
  update(audienceId, {
    set,
    ...(remove !== undefined && { remove }),
    onlyIf: thisRunOwnsIt,
    values: { ":running": "running", ":attempt": attempt },
  });

/** Answers the audience after the change; undefined when the condition did not hold, or there is no such audience. */
const update = async (
  audienceId: string,
  { set, remove, begunAt, onlyIf, names, values }: Change,
): Promise<StoredAudience | undefined> => {
  const fields = Object.entries(set);
  const assignments = fields.map(([name]) => `#${name} = :set_${name}`);
  if (begunAt !== undefined)
    assignments.push("attempt = attempt + :one", "startedAt = if_not_exists(startedAt, :begunAt)");
  try {
    const { Attributes } = await dynamoDb.send(
      new UpdateCommand({
        TableName: tableName(),
        Key: keys.audience(audienceId),
        UpdateExpression: `SET ${assignments.join(", ")}${remove ? ` REMOVE ${remove}` : ""}`,
        ConditionExpression: `attribute_exists(pk) AND (${onlyIf})`,
        ExpressionAttributeNames: {
          "#status": "status",
          ...Object.fromEntries(fields.map(([name]) => [`#${name}`, name])),
          ...names,
        },
        ExpressionAttributeValues: {
          ...Object.fromEntries(fields.map(([name, value]) => [`:set_${name}`, value])),
          ...(begunAt !== undefined && { ":begunAt": begunAt, ":one": 1 }),
          ...values,
        },
        ReturnValues: "ALL_NEW",
      }),
    );
    return itemSchema.parse(Attributes);
  } catch (error) {
    if (error instanceof ConditionalCheckFailedException) return undefined;
    throw error;
  }
};
