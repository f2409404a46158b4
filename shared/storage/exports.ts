import { ConditionalCheckFailedException } from "@aws-sdk/client-dynamodb";
import { GetCommand, PutCommand, UpdateCommand } from "@aws-sdk/lib-dynamodb";
import * as z from "zod";
import { timestampSchema } from "../contract/conventions.ts";
import type { EventName } from "../contract/events.ts";
import { exportLifeDays } from "../contract/exports.ts";
import { exportNotFound } from "../domain/failures.ts";
import { dynamoDb, tableName } from "./client.ts";
import { markTold } from "./mark-told.ts";
import { keys, tableAttributes } from "./table.ts";

const storedExportSchema = z.object({
  exportId: z.string(),
  level: z.enum(["promocode", "file"]),
  promocodeId: z.string(),
  promotionId: z.string(),
  /** Null at the level of the promocode. */
  fileId: z.string().nullable(),
  /** Allocations from this moment on, or all. */
  from: timestampSchema.nullable(),
  /** Allocations before this moment, or all. */
  to: timestampSchema.nullable(),
  formulaSafe: z.boolean(),
  status: z.enum(["queued", "running", "succeeded", "failed"]),
  /** How often it was begun; each attempt writes an object of its own. */
  attempt: z.int(),
  rows: z.int(),
  bytes: z.int(),
  sha256: z.string().nullable(),
  /** The finished file in the exports bucket. */
  objectKey: z.string().nullable(),
  failureMessage: z.string().nullable(),
  createdAt: timestampSchema,
  completedAt: timestampSchema.nullable(),
  /** What the bus was told last of what became of it. */
  told: z.enum(["ExportReady", "ExportFailed"]).optional(),
  /** Epoch seconds; the file lives as long. */
  [tableAttributes.timeToLive]: z.int(),
});

/** An export as it is stored. */
export type StoredExport = Readonly<z.infer<typeof storedExportSchema>>;

export type ExportRequest = Pick<
  StoredExport,
  | "exportId"
  | "level"
  | "promocodeId"
  | "promotionId"
  | "fileId"
  | "from"
  | "to"
  | "formulaSafe"
  | "createdAt"
>;

const secondsPerDay = 86_400;
const thereIsNone = "attribute_not_exists(pk)";
const itExists = "attribute_exists(pk)";
const itIsOpen = "#status <> :succeeded";
const nobodyBeganAnew = "attempt = :attempt";

/** Stores a queued export. One that is there already, by an earlier try of the same request, is left as it is. */
export const createExport = async (request: ExportRequest): Promise<void> => {
  const item: StoredExport = {
    ...request,
    status: "queued",
    attempt: 0,
    rows: 0,
    bytes: 0,
    sha256: null,
    objectKey: null,
    failureMessage: null,
    completedAt: null,
    expiresAt: Math.ceil(Date.parse(request.createdAt) / 1000) + exportLifeDays * secondsPerDay,
  };
  try {
    await dynamoDb.send(
      new PutCommand({
        TableName: tableName(),
        Item: { ...keys.export(request.exportId), ...item },
        ConditionExpression: thereIsNone,
      }),
    );
  } catch (error) {
    if (!(error instanceof ConditionalCheckFailedException)) throw error;
  }
};

/** Strongly consistent; undefined when there is none. */
export const findExport = async (exportId: string): Promise<StoredExport | undefined> => {
  const { Item } = await dynamoDb.send(
    new GetCommand({ TableName: tableName(), Key: keys.export(exportId), ConsistentRead: true }),
  );
  return Item && storedExportSchema.parse(Item);
};

/** The event is on the bus. It changes nothing else, whatever the export has come to meanwhile. */
export const markExportTold = (
  { exportId }: Pick<StoredExport, "exportId">,
  told: EventName,
): Promise<void> => markTold(keys.export(exportId), told);

/** The export. Throws `export-not-found`, for one whose time is over too. */
export const getExport = async (exportId: string, now: Date): Promise<StoredExport> => {
  const found = await findExport(exportId);
  if (!found || found.expiresAt * 1000 <= now.getTime()) throw exportNotFound(exportId);
  return found;
};

interface Change {
  readonly set: Readonly<Partial<StoredExport>>;
  /** Only while this attempt is the newest. @default whatever the attempt */
  readonly attempt?: number;
  /** True: this begins the next attempt. */
  readonly begins?: boolean;
}

/** Changes an export that has not succeeded; undefined when the condition broke. */
const changeOpen = async (
  exportId: string,
  { set, attempt, begins = false }: Change,
): Promise<StoredExport | undefined> => {
  const names = Object.keys(set);
  const assignments = names.map((name) => `#${name} = :${name}`).join(", ");
  const conditions = [itExists, itIsOpen, ...(attempt === undefined ? [] : [nobodyBeganAnew])];
  try {
    const { Attributes } = await dynamoDb.send(
      new UpdateCommand({
        TableName: tableName(),
        Key: keys.export(exportId),
        UpdateExpression: `SET ${assignments}${begins ? " ADD attempt :one" : ""}`,
        ConditionExpression: conditions.join(" AND "),
        ExpressionAttributeNames: Object.fromEntries(["status", ...names].map((name) => [`#${name}`, name])),
        ExpressionAttributeValues: {
          ...Object.fromEntries(Object.entries(set).map(([name, value]) => [`:${name}`, value])),
          ":succeeded": "succeeded",
          ...(attempt !== undefined && { ":attempt": attempt }),
          ...(begins && { ":one": 1 }),
        },
        ReturnValues: "ALL_NEW",
      }),
    );
    return storedExportSchema.parse(Attributes);
  } catch (error) {
    if (error instanceof ConditionalCheckFailedException) return undefined;
    throw error;
  }
};

/** Begins a new attempt; undefined when there is nothing to do: it succeeded, or its time is over. */
export const beginExport = (exportId: string): Promise<StoredExport | undefined> =>
  changeOpen(exportId, {
    set: { status: "running", rows: 0, failureMessage: null, completedAt: null },
    begins: true,
  });

/** Tells how far the attempt is; nothing when another attempt began meanwhile. */
export const reportExportProgress = async (
  { exportId, attempt }: StoredExport,
  rows: number,
): Promise<void> => {
  await changeOpen(exportId, { set: { rows }, attempt });
};

/** A finished file and where it is. */
export interface FinishedFile {
  readonly objectKey: string;
  readonly rows: number;
  readonly bytes: number;
  readonly sha256: string;
}

/** The first attempt that finishes is the export; what a later one wrote is never shown and expires. */
export const completeExport = async (
  { exportId }: StoredExport,
  file: FinishedFile,
  now: Date,
): Promise<void> => {
  await changeOpen(exportId, {
    set: { ...file, status: "succeeded", failureMessage: null, completedAt: now.toISOString() },
  });
};

/** `message` is for the caller: what happened and what to do. An attempt that was overtaken fails nothing. */
export const failExport = async (
  { exportId, attempt }: StoredExport,
  message: string,
  now: Date,
): Promise<void> => {
  await changeOpen(exportId, {
    set: { status: "failed", failureMessage: message, completedAt: now.toISOString() },
    attempt,
  });
};
