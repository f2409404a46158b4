import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { DynamoDBDocumentClient, ScanCommand } from "@aws-sdk/lib-dynamodb";
import type { DynamoDbEngine } from "../../local/dynamodb/engine.ts";
import { type Cell, holderOf } from "../../shared/pool/cell.ts";
import type { Generation } from "../../shared/pool/generation.ts";
import { cellItemSchema, cellOf } from "../../shared/storage/cells.ts";
import { generationItemSchema } from "../../shared/storage/generations.ts";
import {
  customerPartitionPrefix,
  defaultGivenPrefix,
  partitions,
  prefixes,
} from "../../shared/storage/table.ts";

/** Where a table is, past every proxy. */
export interface TableLocation {
  readonly engine: Pick<DynamoDbEngine, "endpoint" | "region" | "credentials">;
  readonly tableName: string;
}

/** A code that somebody holds. */
export interface GivenCode {
  readonly uniqueCode: string;
  readonly fileId: string;
  readonly customerId: string;
  /** ISO. */
  readonly timestamp: string;
}

export interface FileTruth {
  readonly generation: Generation;
  readonly cells: readonly Cell[];
}

/** What a pool is: every item of it, as the raw table has it. */
export interface PoolTruth {
  readonly files: readonly FileTruth[];
  readonly given: readonly GivenCode[];
  readonly free: readonly string[];
  /** Of withdrawn files, in nobody's hands. */
  readonly withdrawn: readonly string[];
  /** Records of default codes. */
  readonly defaultsGiven: number;
  /** What the stream's consumer counted, by file; default codes under `default`. */
  readonly counts: ReadonlyMap<string, number>;
  /** Status of each file's record. */
  readonly statusByFile: ReadonlyMap<string, string>;
}

/** An item as it is stored. */
export type Item = Readonly<Record<string, unknown>> & { readonly pk: string; readonly sk: string };

/** Reads the pool with a client of its own, which nothing is injected into, by scanning the whole table. */
export const readPool = async (table: TableLocation, promocodeId: string): Promise<PoolTruth> => {
  const items = await scanTable(table);
  const own = items.filter(({ pk }) => pk === partitions.promocode(promocodeId));
  const below = (prefix: string) =>
    own.flatMap((item) =>
      item.sk.startsWith(prefix) ? [[item.sk.slice(prefix.length), item] as const] : [],
    );
  const ofCustomers = (prefix: string) =>
    items.filter(
      ({ pk, sk }) => pk.startsWith(customerPartitionPrefix) && sk.startsWith(`${prefix}${promocodeId}#`),
    );

  const files = below(prefixes.generation).map(([, item]) => {
    const generation = generationItemSchema.parse(item);
    return { generation, cells: cellsOf(items, promocodeId, generation) };
  });
  const slots = files.flatMap(({ generation: { fileId }, cells }) =>
    cells.flatMap((cell) => cell.codes.map((uniqueCode, slot) => ({ fileId, cell, uniqueCode, slot }))),
  );
  const isTaken = ({ cell, slot }: (typeof slots)[number]) => slot < cell.tokens.length;
  const isOpen = ({ cell, slot }: (typeof slots)[number]) => slot < cell.capacity;
  return {
    files,
    given: slots.filter(isTaken).map(({ fileId, cell, uniqueCode, slot }) => {
      const { at } = cell.stamps[slot] ?? {};
      const timestamp = at === undefined ? "" : new Date(at).toISOString();
      return { uniqueCode, fileId, customerId: holderOf(cell.tokens[slot]!).customerId, timestamp };
    }),
    free: slots.filter((slot) => !isTaken(slot) && isOpen(slot)).map(({ uniqueCode }) => uniqueCode),
    withdrawn: slots.filter((slot) => !isTaken(slot) && !isOpen(slot)).map(({ uniqueCode }) => uniqueCode),
    defaultsGiven: ofCustomers(defaultGivenPrefix).length,
    statusByFile: new Map(below(prefixes.codeFile).map(([fileId, { status }]) => [fileId, String(status)])),
    counts: new Map(below(prefixes.counts).map(([fileId, { allocated }]) => [fileId, Number(allocated)])),
  };
};

/** Every item, strongly consistent, with a client that nothing is injected into. */
export const scanTable = async ({ engine, tableName }: TableLocation): Promise<readonly Item[]> => {
  const { endpoint, region, credentials } = engine;
  const client = new DynamoDBClient({ endpoint, region, credentials: { ...credentials } });
  const documents = DynamoDBDocumentClient.from(client);
  const items: Item[] = [];
  let ExclusiveStartKey: Record<string, unknown> | undefined;
  do {
    const page = await documents.send(
      new ScanCommand({
        TableName: tableName,
        ConsistentRead: true,
        ...(ExclusiveStartKey && { ExclusiveStartKey }),
      }),
    );
    items.push(...((page.Items ?? []) as Item[]));
    ExclusiveStartKey = page.LastEvaluatedKey;
  } while (ExclusiveStartKey);
  client.destroy();
  return items;
};

/** Those of the attempt that was published: what a zombie wrote is not the pool's. */
const cellsOf = (
  items: readonly Item[],
  promocodeId: string,
  { number, attempt, shards, cellsPerShard }: Generation,
): readonly Cell[] =>
  items.flatMap((item) => {
    const [kind, promocode, ...place] = item.pk.split("#");
    const [generation, ofAttempt, shard = Number.NaN] = place.map(Number);
    const isCell = kind === "c" && promocode === promocodeId && item.sk !== "full";
    if (!isCell || generation !== number || ofAttempt !== attempt) return [];
    const cell = Number.parseInt(item.sk, 16);
    if (!(shard < shards && cell < cellsPerShard)) return [];
    return [cellOf({ generation: number, attempt, shard, cell }, cellItemSchema.parse(item))];
  });
