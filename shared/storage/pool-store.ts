import { ConditionalCheckFailedException } from "@aws-sdk/client-dynamodb";
import { GetCommand, PutCommand, UpdateCommand, type UpdateCommandInput } from "@aws-sdk/lib-dynamodb";
import { unmarshall } from "@aws-sdk/util-dynamodb";
import type { Cell, CellAddress, Holder } from "../pool/cell.ts";
import type { Generation } from "../pool/generation.ts";
import { type AppendResult, type PoolStore, shardsPerBlock } from "../pool/pool-store.ts";
import { appendExpression, holdsAll } from "./append-expression.ts";
import { cellOf, cellsOfShard, readCells } from "./cells.ts";
import { dynamoDb, tableName } from "./client.ts";
import { generationsOf } from "./generations.ts";
import { updateItem } from "./hot-calls.ts";
import { cellSortKey, type Key, keys } from "./table.ts";

/** The item that broke the condition of a write. It arrives marshalled, and is absent when there was none. */
const itemThatRefused = (error: unknown): Record<string, unknown> | undefined => {
  if (!(error instanceof ConditionalCheckFailedException)) throw error;
  return error.Item && unmarshall(error.Item);
};

/**
 * Runs a conditional update; answers the item after it, or the item that refused it. `again`: the SDK had sent the
 * request more than once, so what refused it may be what its own first try did.
 */
const updateIf = async (
  key: Key,
  update: Omit<UpdateCommandInput, "TableName" | "Key">,
): Promise<UpdateOutcome> => {
  try {
    const item = await updateItem(key, {
      ReturnValues: "ALL_NEW",
      ReturnValuesOnConditionCheckFailure: "ALL_OLD",
      ...update,
    });
    return { done: true, item, again: false };
  } catch (error) {
    const item = itemThatRefused(error);
    return { done: false, item, again: attemptsOf(error) > 1 };
  }
};

interface UpdateOutcome {
  readonly done: boolean;
  readonly item: Record<string, unknown> | undefined;
  readonly again: boolean;
}

const attemptsOf = (error: unknown): number =>
  error instanceof ConditionalCheckFailedException ? (error.$metadata.attempts ?? 1) : 1;

const readItem = async (key: Key): Promise<Record<string, unknown> | undefined> =>
  (await dynamoDb.send(new GetCommand({ TableName: tableName(), Key: key, ConsistentRead: true }))).Item;

/** Adds numbers to the full set of a shard or block (`f`) and answers the whole set. */
const addToFullSet = async (key: Key, numbers: readonly number[]): Promise<ReadonlySet<number>> => {
  const { Attributes } = await dynamoDb.send(
    new UpdateCommand({
      TableName: tableName(),
      Key: key,
      UpdateExpression: "ADD f :numbers",
      ExpressionAttributeValues: { ":numbers": new Set(numbers) },
      ReturnValues: "UPDATED_NEW",
    }),
  );
  return (Attributes?.f as Set<number> | undefined) ?? new Set();
};

const readFullSet = async (key: Key): Promise<ReadonlySet<number>> =>
  ((await readItem(key))?.f as Set<number> | undefined) ?? new Set();

/** An intent's only attribute, `a`: generation, attempt, shard and cell. */
export const intentItemAddress = (item: Record<string, unknown>): CellAddress => {
  const [generation, attempt, shard, cell] = String(item.a).split(".").map(Number);
  if (generation === undefined || attempt === undefined || shard === undefined || cell === undefined)
    throw new Error("an intent item without an address");
  return { generation, attempt, shard, cell };
};

/** An address as intents hold it. */
export const addressText = ({ generation, attempt, shard, cell }: CellAddress): string =>
  `${generation}.${attempt}.${shard}.${cell}`;

/** The pool's store on DynamoDB. Every method is one request on one item; the conditions are the protocol's. */
export const dynamoPoolStore = (promocodeId: string): PoolStore => {
  const cellKey = (address: CellAddress) => keys.cell({ promocodeId, ...address });
  const shardOfGeneration = ({ number, attempt }: Generation, shard: number) => ({
    promocodeId,
    generation: number,
    attempt,
    shard,
  });
  const intentKey = (holder: Holder) => keys.intent(promocodeId, holder.customerId, holder.trigger);
  const asResult = (address: CellAddress, { done, item }: UpdateOutcome): AppendResult => ({
    outcome: done ? "appended" : "refused",
    cell: cellOf(address, item),
  });

  const createIntent = async (holder: Holder, candidate: CellAddress): Promise<CellAddress> => {
    try {
      await dynamoDb.send(
        new PutCommand({
          TableName: tableName(),
          Item: { ...intentKey(holder), a: addressText(candidate) },
          ConditionExpression: "attribute_not_exists(pk)",
          ReturnValuesOnConditionCheckFailure: "ALL_OLD",
        }),
      );
      return candidate;
    } catch (error) {
      const stored = itemThatRefused(error);
      if (!stored) throw error;
      return intentItemAddress(stored);
    }
  };

  return {
    generations: () => generationsOf(promocodeId),

    async base() {
      const base = (await readItem(keys.promocode(promocodeId)))?.base;
      return typeof base === "number" ? base : undefined;
    },

    async setBase(generation) {
      const { item } = await updateIf(keys.promocode(promocodeId), {
        UpdateExpression: "SET #base = :base",
        ConditionExpression: "attribute_exists(pk) AND attribute_not_exists(#base)",
        // A reserved word of DynamoDB's.
        ExpressionAttributeNames: { "#base": "base" },
        ExpressionAttributeValues: { ":base": generation },
      });
      if (typeof item?.base !== "number") throw new Error("the promocode of this pool does not exist");
      return item.base;
    },

    async append(address, holders, capacity = holders.length) {
      const outcome = await updateIf(cellKey(address), appendExpression(holders, capacity));
      const result = asResult(address, outcome);
      // The answer to the first try got lost: its holders are new all the same, not repeated.
      return outcome.again && holdsAll(result.cell, holders) ? { ...result, outcome: "appended" } : result;
    },

    // May lag: half the price, and callers rely only on what never changes back.
    readCells: (addresses) => readCells(promocodeId, addresses, { consistent: false }),

    async seal(address, size) {
      return asResult(
        address,
        await updateIf(cellKey(address), {
          UpdateExpression: "SET k = :size",
          ConditionExpression: "size(u) = :size",
          ExpressionAttributeValues: { ":size": size },
        }),
      );
    },

    async readNeighbours(generation, shard, from, to) {
      const range = { from: cellSortKey(from), to: cellSortKey(to) };
      const cells: Cell[] = [];
      for await (const page of cellsOfShard(promocodeId, generation, shard, range)) cells.push(...page);
      return cells;
    },

    markCellsFull: (generation, shard, cells) =>
      addToFullSet(keys.fullCells(shardOfGeneration(generation, shard)), cells),
    markShardFull: (generation, shard) => addToFullSet(blockKey(promocodeId, generation, shard), [shard]),
    fullCells: (generation, shard) => readFullSet(keys.fullCells(shardOfGeneration(generation, shard))),
    fullShards: (generation, block) =>
      readFullSet(keys.fullShards(promocodeId, generation.number, generation.attempt, block)),

    async intent(holder) {
      const item = await readItem(intentKey(holder));
      return item && intentItemAddress(item);
    },

    createIntent,

    async moveIntent(holder, from, to) {
      const { item } = await updateIf(intentKey(holder), {
        UpdateExpression: "SET a = :to",
        ConditionExpression: "a = :from",
        ExpressionAttributeValues: { ":to": addressText(to), ":from": addressText(from) },
      });
      return item ? intentItemAddress(item) : createIntent(holder, to);
    },
  };
};

const blockKey = (promocodeId: string, { number, attempt }: Generation, shard: number): Key =>
  keys.fullShards(promocodeId, number, attempt, Math.floor(shard / shardsPerBlock));
