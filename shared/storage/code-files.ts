import { ConditionalCheckFailedException } from "@aws-sdk/client-dynamodb";
import { GetCommand, PutCommand, UpdateCommand } from "@aws-sdk/lib-dynamodb";
import * as z from "zod";
import { codeFileStatuses, type FileFailureCode, fileFailureCodes } from "../contract/code-files.ts";
import type { EventName } from "../contract/events.ts";
import { codeFileNotFound } from "../domain/failures.ts";
import { dynamoDb, tableName } from "./client.ts";
import { listPage } from "./list-page.ts";
import { markTold } from "./mark-told.ts";
import { queryAll } from "./query-all.ts";
import { keys, partitions, prefixes } from "./table.ts";

const checkpointSchema = z.object({
  /** The attempt whose cells are written so far; part of their keys. */
  attempt: z.int(),
  /** The number that the generation was to get. */
  generation: z.int(),
  shards: z.int(),
  cellsPerShard: z.int(),
  /** Shards below this one are written completely. */
  shardsWritten: z.int(),
  /** Of the codes that were being written: equal for the same file and the same pool. */
  fingerprint: z.number(),
});

const itemSchema = z.object({
  fileId: z.string(),
  promocodeId: z.string(),
  fileName: z.string(),
  source: z.enum(["upload", "drop"]),
  status: z.enum(codeFileStatuses),
  /** The object in the uploads bucket, and the one version of it that counts; null before it is there. */
  objectKey: z.string().nullable(),
  versionId: z.string().nullable(),
  /** Fence of the lock under which the newest run loads it; 0 before the first. Only this run may change the record. */
  attempt: z.int(),
  checkpoint: checkpointSchema.optional(),
  /** Number of the generation that holds its codes; null before it is ready, and when it brought none. */
  generation: z.int().nullable(),
  rowsRead: z.int(),
  codes: z.int(),
  duplicatesInFile: z.int(),
  duplicatesInPool: z.int(),
  rejected: z.int(),
  header: z.string().nullable(),
  problems: z.array(z.object({ line: z.int(), reason: z.string() })),
  failureCode: z.enum(fileFailureCodes).nullable(),
  failureMessage: z.string().nullable(),
  createdAt: z.string(),
  loadedAt: z.string().nullable(),
  /** What the bus was told last of what became of it. */
  told: z.enum(["CodeFileLoaded", "CodeFileFailed"]).optional(),
});

/** A code file as it is stored. */
export type StoredCodeFile = Readonly<z.infer<typeof itemSchema>>;

/** How far a run came before its time was over. */
export type Checkpoint = Readonly<z.infer<typeof checkpointSchema>>;

/** What a file turned out to hold. */
export type FileContent = Pick<
  StoredCodeFile,
  "rowsRead" | "codes" | "duplicatesInFile" | "duplicatesInPool" | "rejected" | "header" | "problems"
>;

export type NewCodeFile = Pick<
  StoredCodeFile,
  "fileId" | "promocodeId" | "fileName" | "source" | "objectKey" | "versionId" | "createdAt"
>;

/** Names a file and the run that loads it. */
export interface LoadRun {
  readonly promocodeId: string;
  readonly fileId: string;
  /** Fence of the lock that the run holds. */
  readonly attempt: number;
}

type FileKey = Pick<LoadRun, "promocodeId" | "fileId">;

export const thisRunLoadsIt = "#status = :loading AND attempt = :attempt";

const emptyContent: FileContent = {
  rowsRead: 0,
  codes: 0,
  duplicatesInFile: 0,
  duplicatesInPool: 0,
  rejected: 0,
  header: null,
  problems: [],
};

export const codeFileOf = (item: unknown): StoredCodeFile => itemSchema.parse(item);

export const codeFiles = {
  /** Stores a new file; one that is there already, by a repeated event or request, is answered as it is. */
  async create(file: NewCodeFile): Promise<StoredCodeFile> {
    const stored: StoredCodeFile = {
      ...file,
      ...emptyContent,
      status: file.objectKey === null ? "awaiting-upload" : "queued",
      attempt: 0,
      generation: null,
      failureCode: null,
      failureMessage: null,
      loadedAt: null,
    };
    try {
      await dynamoDb.send(
        new PutCommand({
          TableName: tableName(),
          Item: { ...keys.codeFile(file.promocodeId, file.fileId), ...stored },
          ConditionExpression: "attribute_not_exists(pk)",
        }),
      );
      return stored;
    } catch (error) {
      if (!(error instanceof ConditionalCheckFailedException)) throw error;
      return codeFiles.get(file);
    }
  },

  /** Strongly consistent; undefined when there is none. */
  async find({ promocodeId, fileId }: FileKey): Promise<StoredCodeFile | undefined> {
    const { Item } = await dynamoDb.send(
      new GetCommand({
        TableName: tableName(),
        Key: keys.codeFile(promocodeId, fileId),
        ConsistentRead: true,
      }),
    );
    return Item && codeFileOf(Item);
  },

  /** Strongly consistent; `code-file-not-found` when there is none. */
  async get(file: FileKey): Promise<StoredCodeFile> {
    const found = await codeFiles.find(file);
    if (!found) throw codeFileNotFound(file.fileId);
    return found;
  },

  /** The file of an object, found by reading all of the promocode's. Strongly consistent. */
  async findOfObject(
    promocodeId: string,
    { objectKey, versionId }: Pick<StoredCodeFile, "objectKey" | "versionId">,
  ): Promise<StoredCodeFile | undefined> {
    const items = await queryAll(partitions.promocode(promocodeId), prefixes.codeFile);
    return items.map(codeFileOf).find((file) => file.objectKey === objectKey && file.versionId === versionId);
  },

  /** A page of the promocode's files in the order of their ids, which is the order in which they came. */
  async list(
    promocodeId: string,
    { limit, cursor }: { readonly limit: number; readonly cursor: string | undefined },
  ): Promise<{ readonly items: readonly StoredCodeFile[]; readonly nextCursor?: string }> {
    const page = await listPage({
      list: `promocodes/${promocodeId}/files`,
      partitionKey: partitions.promocode(promocodeId),
      sortKeyPrefix: prefixes.codeFile,
      limit,
      cursor,
    });
    return { ...page, items: page.items.map(codeFileOf) };
  },

  /** All of the promocode's files, strongly consistent. */
  async all(promocodeId: string): Promise<readonly StoredCodeFile[]> {
    return (await queryAll(partitions.promocode(promocodeId), prefixes.codeFile)).map(codeFileOf);
  },

  /** The announced upload is there: only the first version counts. Answers the file as it is after this. */
  async queueUpload(
    file: FileKey,
    object: { readonly objectKey: string; readonly versionId: string | null },
  ): Promise<StoredCodeFile | undefined> {
    const queued = await update(file, {
      set: { status: "queued", ...object },
      onlyIf: "#status = :awaiting",
      values: { ":awaiting": "awaiting-upload" },
      answer: "ALL_NEW",
    });
    return queued ?? codeFiles.find(file);
  },

  /**
   * Makes the file this run's: from now on every earlier run is refused. Answers the file as it was, with the
   * checkpoint that nobody but this run has now; undefined when there is nothing to load. A file that failed by a
   * fault of the service can be begun again.
   */
  async begin({ attempt, ...file }: LoadRun): Promise<StoredCodeFile | undefined> {
    const begun = await update(file, {
      set: { status: "loading", attempt, failureCode: null, failureMessage: null },
      remove: "checkpoint",
      onlyIf:
        "(#status IN (:queued, :loading) OR (#status = :failed AND failureCode = :loadFailed)) AND attempt < :attempt",
      values: {
        ":queued": "queued",
        ":loading": "loading",
        ":failed": "failed",
        ":loadFailed": "load-failed",
      },
      answer: "ALL_OLD",
    });
    if (begun) return begun;
    // The answer may have got lost, and the SDK's own repetition was refused by what the first try did: an attempt's
    // number belongs to one run alone.
    const found = await codeFiles.find(file);
    return found?.status === "loading" && found.attempt === attempt ? found : undefined;
  },

  /** Tells how far the run is; false when the file is not this run's any more. */
  async reportProgress(
    run: LoadRun,
    progress: Pick<FileContent, "rowsRead"> & Partial<FileContent>,
  ): Promise<boolean> {
    return (await updateOwn(run, progress)) !== undefined;
  },

  /** Leaves a checkpoint to the next run; false when the file is not this run's any more. */
  async leave(run: LoadRun, checkpoint: Checkpoint): Promise<boolean> {
    return (await updateOwn(run, { checkpoint })) !== undefined;
  },

  /** Refuses the file. From now on no run can publish it. False when the file is not this run's any more. */
  async fail(
    run: LoadRun,
    failure: { readonly code: FileFailureCode; readonly message: string },
    content: FileContent | undefined,
  ): Promise<boolean> {
    const failed = await updateOwn(run, {
      ...content,
      status: "failed",
      codes: 0,
      failureCode: failure.code,
      failureMessage: failure.message,
    });
    return failed !== undefined;
  },

  /** A file that is not loaded, or whose load has died, will never be; false when it moved on meanwhile. */
  async withdrawUnloaded(seen: StoredCodeFile): Promise<StoredCodeFile | undefined> {
    return update(seen, {
      set: { status: "withdrawn", codes: 0 },
      onlyIf: "#status = :seenStatus AND attempt = :seenAttempt",
      values: { ":seenStatus": seen.status, ":seenAttempt": seen.attempt },
      answer: "ALL_NEW",
    });
  },

  /** The event is on the bus. It changes nothing else, whatever the file has come to meanwhile. */
  markTold: ({ promocodeId, fileId }: FileKey, told: EventName): Promise<void> =>
    markTold(keys.codeFile(promocodeId, fileId), told),

  /** The file's free codes are sealed: the end of a withdrawal. */
  async markWithdrawn(file: FileKey): Promise<void> {
    await update(file, {
      set: { status: "withdrawn" },
      onlyIf: "#status = :withdrawing",
      values: { ":withdrawing": "withdrawing" },
      answer: "ALL_NEW",
    });
  },
};

interface Change {
  readonly set: Readonly<Partial<StoredCodeFile>>;
  readonly remove?: string;
  readonly onlyIf: string;
  readonly values: Readonly<Record<string, unknown>>;
  readonly answer: "ALL_OLD" | "ALL_NEW";
}

const updateOwn = ({ attempt, ...file }: LoadRun, set: Change["set"]): Promise<StoredCodeFile | undefined> =>
  update(file, {
    set,
    onlyIf: thisRunLoadsIt,
    values: { ":loading": "loading", ":attempt": attempt },
    answer: "ALL_NEW",
  });

/** Undefined when the condition did not hold, or there is no such file. */
const update = async (
  { promocodeId, fileId }: FileKey,
  { set, remove, onlyIf, values, answer }: Change,
): Promise<StoredCodeFile | undefined> => {
  const { assignments, names, values: setValues } = assignmentsOf(set);
  try {
    const { Attributes } = await dynamoDb.send(
      new UpdateCommand({
        TableName: tableName(),
        Key: keys.codeFile(promocodeId, fileId),
        UpdateExpression: `SET ${assignments}${remove ? ` REMOVE ${remove}` : ""}`,
        ConditionExpression: `attribute_exists(pk) AND ${onlyIf}`,
        ExpressionAttributeNames: { "#status": "status", ...names },
        ExpressionAttributeValues: { ...setValues, ...values },
        ReturnValues: answer,
      }),
    );
    return codeFileOf(Attributes);
  } catch (error) {
    if (error instanceof ConditionalCheckFailedException) return undefined;
    throw error;
  }
};

/** A SET clause for these attributes. Placeholders are the attributes' names. */
export const assignmentsOf = (set: Readonly<Record<string, unknown>>) => {
  const fields = Object.entries(set).filter(([, value]) => value !== undefined);
  return {
    assignments: fields.map(([name]) => `#${name} = :${name}`).join(", "),
    names: Object.fromEntries(fields.map(([name]) => [`#${name}`, name])),
    values: Object.fromEntries(fields.map(([name, value]) => [`:${name}`, value])),
  };
};
