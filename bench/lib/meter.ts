import {
  type AttributeValue,
  ConditionalCheckFailedException,
  type ConsumedCapacity,
  TransactionCanceledException,
} from "@aws-sdk/client-dynamodb";
import type { DynamoDBDocumentClient } from "@aws-sdk/lib-dynamodb";
import { type Item, itemBytes, valueBytes, writeUnitsOf } from "./item-size.ts";

/** What a client's calls have cost. */
export interface Consumption {
  /** As the engine reports them, writes to indexes included; of refused writes, by DynamoDB's rule. */
  readonly writeUnits: number;
  /** The part of `writeUnits` that went to indexes. */
  readonly indexWriteUnits: number;
  /** The part of `writeUnits` that refused writes cost. */
  readonly refusedWriteUnits: number;
  readonly readUnits: number;
  /** Calls of the API, without what the SDK sent again by itself. */
  readonly writeCalls: number;
  readonly readCalls: number;
  /** Writes that their condition refused; a cancelled transaction counts as one. */
  readonly refused: number;
  /** Requests that the SDK sent again after a lost or throttled one. */
  readonly retries: number;
}

/** Its figures grow while the client is used; `{ ...meter }` keeps those of a moment. */
export interface Meter extends Consumption {
  /** Starts again at zero. */
  reset(): void;
  stop(): void;
}

const writes: ReadonlySet<unknown> = new Set([
  "PutItemCommand",
  "UpdateItemCommand",
  "DeleteItemCommand",
  "BatchWriteItemCommand",
  "TransactWriteItemsCommand",
]);
const reads: ReadonlySet<unknown> = new Set([
  "GetItemCommand",
  "BatchGetItemCommand",
  "QueryCommand",
  "ScanCommand",
  "TransactGetItemsCommand",
]);

/**
 * Adds up what this client's calls consume. Each call asks the engine for its capacity, and a conditional write for the
 * item that refused it.
 *
 * No engine reports what a refused write costs, but it costs as much as the larger of the item that is there and the
 * item that was to be (docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html): that is
 * worked out here, an update's item as the stored one and all its values. A cancelled transaction counts one unit per
 * KB and item, for its first phase; what is stored there is not known. Transactions and batches that are carried out
 * count as reported.
 */
export const meter = (client: Pick<DynamoDBDocumentClient, "middlewareStack">): Meter => {
  const zero = {
    writeUnits: 0,
    indexWriteUnits: 0,
    refusedWriteUnits: 0,
    readUnits: 0,
    writeCalls: 0,
    readCalls: 0,
    refused: 0,
    retries: 0,
  };
  const counted = {
    ...zero,
    reset: () => {
      Object.assign(counted, zero);
    },
    stop: () => {
      client.middlewareStack.remove("meter-asks");
      client.middlewareStack.remove("meter-counts");
    },
  };

  client.middlewareStack.add(
    (next, { commandName }) =>
      (args) => {
        const asked = writes.has(commandName) || reads.has(commandName);
        return next(asked ? { ...args, input: asking(args.input as AnyInput) } : args);
      },
    { step: "initialize", name: "meter-asks" },
  );
  client.middlewareStack.add(
    (next, { commandName }) =>
      async (args) => {
        const isWrite = writes.has(commandName);
        if (!isWrite && !reads.has(commandName)) return next(args);
        counted[isWrite ? "writeCalls" : "readCalls"] += 1;
        try {
          const result = await next(args);
          const { $metadata, ConsumedCapacity } = result.output as AnyOutput;
          counted.retries += ($metadata.attempts ?? 1) - 1;
          for (const consumed of [ConsumedCapacity ?? []].flat()) {
            counted[isWrite ? "writeUnits" : "readUnits"] += consumed.CapacityUnits ?? 0;
            if (isWrite) counted.indexWriteUnits += indexUnits(consumed);
          }
          return result;
        } catch (error) {
          const { $metadata } = error as { $metadata?: { attempts?: number } };
          counted.retries += ($metadata?.attempts ?? 1) - 1;
          const units = refusalUnits(args.input as AnyInput, error);
          if (units > 0) counted.refused += 1;
          counted.refusedWriteUnits += units;
          counted.writeUnits += units;
          throw error;
        }
      },
    // After the document client has marshalled the input, around the SDK's retries.
    { step: "build", name: "meter-counts" },
  );

  return counted;
};

export type AnyWrite = Partial<{
  Item: Item;
  Key: Item;
  ExpressionAttributeValues: Readonly<Record<string, AttributeValue>>;
  ConditionExpression: string;
  ReturnValuesOnConditionCheckFailure: string;
}>;
type AnyInput = AnyWrite & {
  readonly TransactItems?: readonly Readonly<
    Record<"Put" | "Update" | "Delete" | "ConditionCheck", AnyWrite>
  >[];
};
interface AnyOutput {
  readonly $metadata: { readonly attempts?: number };
  readonly ConsumedCapacity?: ConsumedCapacity | readonly ConsumedCapacity[];
}

const asking = (input: AnyInput): object => ({
  ReturnConsumedCapacity: "INDEXES",
  ...(input.ConditionExpression !== undefined && { ReturnValuesOnConditionCheckFailure: "ALL_OLD" }),
  ...input,
});

const indexUnits = ({ GlobalSecondaryIndexes, LocalSecondaryIndexes }: ConsumedCapacity): number =>
  Object.values({ ...GlobalSecondaryIndexes, ...LocalSecondaryIndexes }).reduce(
    (units, index) => units + (index.CapacityUnits ?? 0),
    0,
  );

/** What a write cost that was refused; 0 for every other failure. */
const refusalUnits = (input: AnyInput, error: unknown): number => {
  if (error instanceof ConditionalCheckFailedException) return refusedWriteUnits(input, error.Item ?? {});
  if (error instanceof TransactionCanceledException)
    return (input.TransactItems ?? [])
      .flatMap((operation) => Object.values(operation))
      .reduce((units, write) => units + refusedWriteUnits(write, {}), 0);
  return 0;
};

/** What a write costs that `stored` refused: as much as the larger of that item and the one that was to be. */
export const refusedWriteUnits = (write: AnyWrite, stored: Item): number =>
  writeUnitsOf(refusedBytes(write, stored));

const refusedBytes = (write: AnyWrite, stored: Item): number => {
  const before = itemBytes(stored);
  if (write.Item !== undefined) return Math.max(before, itemBytes(write.Item));
  const added = Object.values(write.ExpressionAttributeValues ?? {});
  return added.reduce((bytes, value) => bytes + valueBytes(value), before);
};
