import { setTimeout as sleep } from "node:timers/promises";
import {
  BatchWriteCommand,
  type BatchWriteCommandInput,
  type DynamoDBDocumentClient,
  paginateScan,
} from "@aws-sdk/lib-dynamodb";

export type Item = Record<string, unknown>;
type PutRequest = NonNullable<BatchWriteCommandInput["RequestItems"]>[string][number];

/** BatchWriteItem takes 25. */
const itemsPerBatch = 25;
const batchesAtOnce = 8;

/** Puts all items, in no order. For what comes before the measured part. */
export const putItems = async (
  client: DynamoDBDocumentClient,
  table: string,
  items: Iterable<Item>,
): Promise<void> => {
  const rest = batchesOf(items);
  const worker = async () => {
    for (const batch of rest) await writeBatch(client, table, batch);
  };
  await Promise.all(Array.from({ length: batchesAtOnce }, worker));
};

function* batchesOf(items: Iterable<Item>): Generator<readonly PutRequest[], void> {
  let batch: PutRequest[] = [];
  for (const item of items) {
    batch.push({ PutRequest: { Item: item } });
    if (batch.length < itemsPerBatch) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}

const writeBatch = async (
  client: DynamoDBDocumentClient,
  table: string,
  batch: readonly PutRequest[],
): Promise<void> => {
  let left: readonly PutRequest[] = batch;
  for (let pauseMs = 0; left.length > 0; pauseMs = Math.min(1_000, 2 * pauseMs + 10)) {
    await sleep(pauseMs);
    const { UnprocessedItems } = await client.send(
      new BatchWriteCommand({ RequestItems: { [table]: [...left] } }),
    );
    left = UnprocessedItems?.[table] ?? [];
  }
};

/** Every item of the table, strongly consistent. */
export async function* allItems(client: DynamoDBDocumentClient, table: string): AsyncGenerator<Item> {
  for await (const page of paginateScan({ client }, { TableName: table, ConsistentRead: true }))
    yield* page.Items ?? [];
}
