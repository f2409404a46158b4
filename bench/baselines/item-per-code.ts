import type { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import type { CreateTableCommandInput } from "@aws-sdk/client-dynamodb";
import {
  BatchWriteCommand,
  type BatchWriteCommandInput,
  type DynamoDBDocumentClient,
} from "@aws-sdk/lib-dynamodb";
import csvParser from "csv-parser";

/** A table with an item per code. */
export const codeTable = (name: string): Omit<CreateTableCommandInput, "BillingMode"> => ({
  TableName: name,
  AttributeDefinitions: [
    { AttributeName: "promocodeId", AttributeType: "S" },
    { AttributeName: "code", AttributeType: "S" },
  ],
  KeySchema: [
    { AttributeName: "promocodeId", KeyType: "HASH" },
    { AttributeName: "code", KeyType: "RANGE" },
  ],
});

/** The same with what "the first free code" needs: a sparse index. A code leaves it when `freeIn` is removed. */
export const indexedCodeTable = (name: string): Omit<CreateTableCommandInput, "BillingMode"> => {
  const plain = codeTable(name);
  return {
    ...plain,
    AttributeDefinitions: [
      ...(plain.AttributeDefinitions ?? []),
      { AttributeName: "freeIn", AttributeType: "S" },
    ],
    GlobalSecondaryIndexes: [
      {
        IndexName: "free-codes",
        KeySchema: [
          { AttributeName: "freeIn", KeyType: "HASH" },
          { AttributeName: "code", KeyType: "RANGE" },
        ],
        Projection: { ProjectionType: "KEYS_ONLY" },
      },
    ],
  };
};

type PutRequest = NonNullable<BatchWriteCommandInput["RequestItems"]>[string][number];

const codesPerBatch = 25;
/** As many as our own loader has at most. */
const inFlightAtMost = 64;

export interface ItemLoad {
  readonly client: DynamoDBDocumentClient;
  readonly table: string;
  readonly promocodeId: string;
  /** A CSV file of one column with a header. */
  readonly csv: Readable;
}

export interface LoadedItems {
  readonly rows: number;
  readonly codes: number;
}

/**
 * The loader that a good engineer writes in an afternoon: csv-parser for the rows, a `Set` for the repeats, and an item
 * per code by BatchWriteItem, written while the file is still being read. Codes can be given out before all are there,
 * and what an earlier file brought is written over: it does less than ours.
 */
export const loadItemPerCode = async ({
  client,
  table,
  promocodeId,
  csv,
}: ItemLoad): Promise<LoadedItems> => {
  const seen = new Set<string>();
  const inFlight = new Set<Promise<void>>();
  let failure: unknown;
  let batch: PutRequest[] = [];
  let rows = 0;

  const flush = async () => {
    while (inFlight.size >= inFlightAtMost) await Promise.race(inFlight);
    if (failure !== undefined) throw failure;
    const request = writeBatch(client, table, batch)
      .catch((error: unknown) => {
        failure ??= error;
      })
      .finally(() => inFlight.delete(request));
    inFlight.add(request);
    batch = [];
  };

  const parser = csv.pipe(csvParser({ headers: ["code"], skipLines: 1 }));
  csv.once("error", (error) => parser.destroy(error));
  for await (const row of parser as AsyncIterable<{ readonly code?: string }>) {
    rows += 1;
    // csv-parser makes `{}` of a blank line.
    const code = row.code?.trim() ?? "";
    if (code === "" || seen.has(code)) continue;
    seen.add(code);
    batch.push({ PutRequest: { Item: { promocodeId, code, freeIn: promocodeId } } });
    if (batch.length === codesPerBatch) await flush();
  }
  if (batch.length > 0) await flush();
  await Promise.all(inFlight);
  if (failure !== undefined) throw failure;
  return { rows, codes: seen.size };
};

const writeBatch = async (
  client: DynamoDBDocumentClient,
  table: string,
  batch: readonly PutRequest[],
): Promise<void> => {
  let left = batch;
  for (let retry = 0; left.length > 0; retry++) {
    if (retry > 0) await sleep(Math.random() * Math.min(5_000, 50 * 2 ** retry));
    const { UnprocessedItems } = await client.send(
      new BatchWriteCommand({ RequestItems: { [table]: [...left] } }),
    );
    left = UnprocessedItems?.[table] ?? [];
  }
};
