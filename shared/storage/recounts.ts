import { ConditionalCheckFailedException } from "@aws-sdk/client-dynamodb";
import { GetCommand, ScanCommand, UpdateCommand } from "@aws-sdk/lib-dynamodb";
import * as z from "zod";
import type { Generation } from "../pool/generation.ts";
import { cellsOfShard } from "./cells.ts";
import { dynamoDb, tableName } from "./client.ts";
import { customerPartitionPrefix, defaultGivenPrefix, keys } from "./table.ts";

const countItemSchema = z.object({ allocated: z.number(), countedAt: z.string() });

/** A count as it is stored, not rounded up to 0; undefined when nothing was ever counted. Strongly consistent. */
export const storedCount = async (
  promocodeId: string,
  fileId: string | null,
): Promise<number | undefined> => {
  const { Item } = await dynamoDb.send(
    new GetCommand({ TableName: tableName(), Key: keys.counts(promocodeId, fileId), ConsistentRead: true }),
  );
  return Item && countItemSchema.parse(Item).allocated;
};

/** How many slots of a generation are taken, strongly consistent. */
export const heldSlots = async (
  promocodeId: string,
  generation: Generation,
  shardsAtOnce = 8,
): Promise<number> => {
  let held = 0;
  const shards = Array.from({ length: generation.shards }, (_, shard) => shard).values();
  const readNext = async () => {
    for (const shard of shards)
      for await (const cells of cellsOfShard(promocodeId, generation, shard))
        for (const { tokens } of cells) held += tokens.length;
  };
  await Promise.all(Array.from({ length: shardsAtOnce }, readNext));
  return held;
};

export interface CountCorrection {
  readonly promocodeId: string;
  /** Null: default codes. */
  readonly fileId: string | null;
  /** What was stored when it was found to be wrong. */
  readonly counted: number | undefined;
  readonly held: number;
}

/**
 * Puts the count right, if it is still as it was seen; false when it moved. The counter only ever adds, so an equal
 * count is an untouched one. What the counter adds later comes on top, its positions stay.
 */
export const correctCount = async (
  { promocodeId, fileId, counted, held }: CountCorrection,
  now: Date,
): Promise<boolean> => {
  try {
    await dynamoDb.send(
      new UpdateCommand({
        TableName: tableName(),
        Key: keys.counts(promocodeId, fileId),
        UpdateExpression: "SET allocated = :held, countedAt = :now",
        ConditionExpression: counted === undefined ? "attribute_not_exists(pk)" : "allocated = :counted",
        ExpressionAttributeValues: {
          ":held": held,
          ":now": now.toISOString(),
          ...(counted !== undefined && { ":counted": counted }),
        },
      }),
    );
    return true;
  } catch (error) {
    if (error instanceof ConditionalCheckFailedException) return false;
    throw error;
  }
};

const segments = 4;

/**
 * How many records of default codes there are, by promocode. They lie with their customers, so all of the table is
 * read, strongly consistently; `onPage` is told how many items were looked at.
 */
export const recordedDefaults = async (
  onPage: (items: number) => void = () => {},
): Promise<ReadonlyMap<string, number>> => {
  const counts = new Map<string, number>();
  const readSegment = async (segment: number) => {
    let startKey: Record<string, unknown> | undefined;
    do {
      const page = await dynamoDb.send(
        new ScanCommand({
          TableName: tableName(),
          Segment: segment,
          TotalSegments: segments,
          ConsistentRead: true,
          FilterExpression: "begins_with(pk, :customer) AND begins_with(sk, :default)",
          ExpressionAttributeValues: {
            ":customer": customerPartitionPrefix,
            ":default": defaultGivenPrefix,
          },
          ProjectionExpression: "sk",
          ...(startKey && { ExclusiveStartKey: startKey }),
        }),
      );
      for (const { sk } of page.Items ?? []) {
        const promocodeId = String(sk).slice(
          defaultGivenPrefix.length,
          String(sk).indexOf("#", defaultGivenPrefix.length),
        );
        counts.set(promocodeId, (counts.get(promocodeId) ?? 0) + 1);
      }
      onPage(page.ScannedCount ?? 0);
      startKey = page.LastEvaluatedKey;
    } while (startKey);
  };
  await Promise.all(Array.from({ length: segments }, (_, segment) => readSegment(segment)));
  return counts;
};
