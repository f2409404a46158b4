import { createHash } from "node:crypto";
import { ConditionalCheckFailedException } from "@aws-sdk/client-dynamodb";
import { GetCommand, UpdateCommand } from "@aws-sdk/lib-dynamodb";
import * as z from "zod";
import { dynamoDb, tableName } from "./client.ts";
import { queryAll } from "./query-all.ts";
import { keys, partitions, prefixes } from "./table.ts";

/** What was handed out of a promocode, as far as it was counted: a second or two late. */
export interface Counts {
  /** Codes that a customer holds, by file. A file without an entry has none. */
  readonly allocatedByFile: ReadonlyMap<string, number>;
  readonly defaultsGiven: number;
  /** When the newest change was counted; undefined before the first. */
  readonly countedAt: string | undefined;
}

const countItemSchema = z.object({ sk: z.string(), allocated: z.number(), countedAt: z.string() });

export const countsOf = async (promocodeId: string): Promise<Counts> => {
  const allocatedByFile = new Map<string, number>();
  let defaultsGiven = 0;
  let countedAt: string | undefined;
  for (const stored of await queryAll(partitions.promocode(promocodeId), prefixes.counts)) {
    const item = countItemSchema.parse(stored);
    // A count below zero would be a mistake of ours, but must not become the reader's problem.
    const count = Math.max(0, item.allocated);
    if (item.sk === keys.counts(promocodeId, null).sk) defaultsGiven = count;
    else allocatedByFile.set(item.sk.slice(prefixes.counts.length), count);
    if (countedAt === undefined || item.countedAt > countedAt) countedAt = item.countedAt;
  }
  return { allocatedByFile, defaultsGiven, countedAt };
};

/** A record of the table's stream as the counts see it. */
export interface CountedChange {
  readonly sequenceNumber: string;
  /** How many more codes, or default codes, are handed out after it. */
  readonly delta: number;
}

export interface ChangesOfCount {
  readonly promocodeId: string;
  /** Null: default codes. */
  readonly fileId: string | null;
  /** The shard of the table's stream that the changes come from. */
  readonly streamShardId: string;
  /** In the order of the stream. */
  readonly changes: readonly CountedChange[];
}

/**
 * A stream keeps records for 24 hours (docs.aws.amazon.com/amazondynamodb/latest/developerguide/Streams.html), so a
 * position that was not moved for longer guards nothing. Two hours stand for clocks and slow batches.
 */
const positionLifeHours = 26;
const millisecondsPerHour = 3_600_000;
const mostRemovals = 50;
const mostTries = 20;

const positionPrefix = "at_";
const positionName = (streamShardId: string): string =>
  `${positionPrefix}${createHash("sha256").update(streamShardId).digest("hex").slice(0, 12)}`;

/** How far a stream shard was counted: its last sequence number and the hour since 1970 when that was written. */
interface Position {
  readonly sequenceNumber: bigint;
  readonly hour: number;
}

const encodePosition = ({ sequenceNumber, hour }: Position): string => `${sequenceNumber}@${hour}`;

const decodePosition = (text: string): Position => {
  const at = text.indexOf("@");
  return { sequenceNumber: BigInt(text.slice(0, at)), hour: Number(text.slice(at + 1)) };
};

/**
 * Adds the changes to the count and answers by how much it grew. Each counts exactly once however often it is
 * delivered: the position in the stream shard moves in the same conditional write, and changes at or before it are
 * dropped. Other stream shards have positions of their own. A shard's changes must arrive in order and by one caller at
 * a time, so the event source must have a parallelization factor of 1.
 */
export const addToCount = async (
  { promocodeId, fileId, streamShardId, changes }: ChangesOfCount,
  now: Date,
): Promise<number> => {
  const key = keys.counts(promocodeId, fileId);
  const name = positionName(streamShardId);
  const hour = Math.floor(now.getTime() / millisecondsPerHour);

  for (let tries = 1; ; tries += 1) {
    const { Item: item = {} } = await dynamoDb.send(
      new GetCommand({ TableName: tableName(), Key: key, ConsistentRead: true }),
    );
    const seen = typeof item[name] === "string" ? item[name] : undefined;
    const counted = seen === undefined ? -1n : decodePosition(seen).sequenceNumber;
    const fresh = changes.filter(({ sequenceNumber }) => BigInt(sequenceNumber) > counted);
    if (fresh.length === 0) return 0;
    const growth = fresh.reduce((sum, { delta }) => sum + delta, 0);

    const newest = fresh.reduce((max, { sequenceNumber }) => {
      const number = BigInt(sequenceNumber);
      return number > max ? number : max;
    }, counted);
    const position = encodePosition({ sequenceNumber: newest, hour });
    const stale = Object.entries(item)
      .filter(
        ([attribute, value]) =>
          attribute.startsWith(positionPrefix) &&
          attribute !== name &&
          decodePosition(String(value)).hour < hour - positionLifeHours,
      )
      .map(([attribute]) => attribute)
      .slice(0, mostRemovals);
    const remove = stale.length === 0 ? "" : ` REMOVE ${stale.join(", ")}`;

    try {
      await dynamoDb.send(
        new UpdateCommand({
          TableName: tableName(),
          Key: key,
          UpdateExpression: `ADD allocated :delta SET countedAt = :now, ${name} = :position${remove}`,
          ConditionExpression: seen === undefined ? `attribute_not_exists(${name})` : `${name} = :seen`,
          ExpressionAttributeValues: {
            ":delta": growth,
            ":now": now.toISOString(),
            ":position": position,
            ...(seen !== undefined && { ":seen": seen }),
          },
        }),
      );
      return growth;
    } catch (error) {
      // Somebody else counted this stream shard meanwhile (a redelivery): see what is left to do.
      if (!(error instanceof ConditionalCheckFailedException) || tries === mostTries) throw error;
    }
  }
};
