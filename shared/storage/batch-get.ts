import { setTimeout as sleep } from "node:timers/promises";
import { BatchGetCommand } from "@aws-sdk/lib-dynamodb";
import { dynamoDb, tableName } from "./client.ts";
import type { Key } from "./table.ts";

/** Most keys in one call: docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html. */
const keysPerCall = 100;
const callsAtOnce = 8;
const longestPauseMs = 1_000;
/** So often in a row DynamoDB may get round to nothing, for some 4 seconds: then it is the caller's to try again. */
const mostFruitless = 10;

type Item = Record<string, unknown>;

/**
 * The items of these keys that exist, in no order. The keys must be distinct. What DynamoDB leaves unprocessed is
 * asked for again: the SDK does not do that, and throws only when nothing at all was processed.
 */
export const batchGet = async (
  keys: readonly Key[],
  { consistent }: { readonly consistent: boolean },
): Promise<readonly Item[]> => {
  const chunks: (readonly Key[])[] = [];
  for (let start = 0; start < keys.length; start += keysPerCall)
    chunks.push(keys.slice(start, start + keysPerCall));

  const items: Item[] = [];
  const takeChunks = async () => {
    for (let chunk = chunks.pop(); chunk !== undefined; chunk = chunks.pop())
      items.push(...(await getChunk(chunk, consistent)));
  };
  await Promise.all(Array.from({ length: Math.min(callsAtOnce, chunks.length) }, takeChunks));
  return items;
};

const getChunk = async (keys: readonly Key[], consistent: boolean): Promise<readonly Item[]> => {
  const items: Item[] = [];
  let open: readonly Item[] = keys.map(({ pk, sk }) => ({ pk, sk }));
  let fruitless = 0;
  for (let pauseMs = 10; ; pauseMs = Math.min(pauseMs * 2, longestPauseMs)) {
    const answer = await dynamoDb.send(
      new BatchGetCommand({
        RequestItems: { [tableName()]: { Keys: [...open], ConsistentRead: consistent } },
      }),
    );
    items.push(...(answer.Responses?.[tableName()] ?? []));
    const left = answer.UnprocessedKeys?.[tableName()]?.Keys ?? [];
    if (left.length === 0) return items;
    fruitless = left.length < open.length ? 0 : fruitless + 1;
    if (fruitless === mostFruitless) throw tooBusy();
    open = left;
    await sleep(pauseMs * (0.5 + Math.random() / 2));
  }
};

const tooBusy = (): Error =>
  Object.assign(new Error("DynamoDB leaves all keys of a BatchGetItem unprocessed, again and again"), {
    name: "ThrottlingException",
  });
