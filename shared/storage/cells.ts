import { QueryCommand } from "@aws-sdk/lib-dynamodb";
import * as z from "zod";
import type { Cell, CellAddress, Stamp } from "../pool/cell.ts";
import type { Generation } from "../pool/generation.ts";
import { batchGet } from "./batch-get.ts";
import { dynamoDb, tableName } from "./client.ts";
import { cellSortKeys, type Key, keys, partitions } from "./table.ts";

/**
 * A cell's attributes are one letter because one write unit is 1 KB of item, names included:
 * `k` capacity, `c` codes joined by line breaks, `u` tokens, `t` "time.context" of each token.
 */
export const cellItemSchema = z.object({
  pk: z.string(),
  sk: z.string(),
  k: z.number(),
  c: z.string(),
  u: z.array(z.string()),
  t: z.array(z.string()),
});
export type CellItem = z.infer<typeof cellItemSchema>;

const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz~";

/** Milliseconds in base 64: 7 characters until the year 2109. */
const encodeTime = (milliseconds: number): string => {
  let rest = milliseconds;
  let text = "";
  do {
    text = digits[rest % 64] + text;
    rest = Math.floor(rest / 64);
  } while (rest > 0);
  return text;
};

const decodeTime = (text: string): number => {
  let milliseconds = 0;
  for (const digit of text) milliseconds = milliseconds * 64 + digits.indexOf(digit);
  return milliseconds;
};

export const encodeStamp = ({ at, contextId }: Stamp): string =>
  contextId === "" ? encodeTime(at) : `${encodeTime(at)}.${contextId}`;

export const decodeStamp = (text: string): Stamp => {
  const dot = text.indexOf(".");
  return dot < 0
    ? { at: decodeTime(text), contextId: "" }
    : { at: decodeTime(text.slice(0, dot)), contextId: text.slice(dot + 1) };
};

/** A new cell as the loader writes it: nobody holds a code yet. */
export const newCellItem = (
  promocodeId: string,
  address: CellAddress,
  codes: readonly string[],
): CellItem => ({
  ...keys.cell({ promocodeId, ...address }),
  k: codes.length,
  c: codes.join("\n"),
  u: [],
  t: [],
});

/** The cell in an item of this address. A missing item is a cell without capacity. */
export const cellOf = (address: CellAddress, item: unknown): Cell => {
  if (item === undefined) return { address, capacity: 0, codes: [], tokens: [], stamps: [] };
  const { k, c, u, t } = item as CellItem;
  return {
    address,
    capacity: k,
    codes: c === "" ? [] : c.split("\n"),
    tokens: u,
    stamps: t.map(decodeStamp),
  };
};

/** How many tokens an item image of the table's stream holds; 0 for none and for items that are no cells. */
export const tokensInImage = (
  image: { readonly u?: { readonly L?: readonly unknown[] } } | undefined,
): number => image?.u?.L?.length ?? 0;

/** The promocode and generation in a cell partition's key; undefined for other items. */
export const parseCellPartition = (pk: string): { promocodeId: string; generation: number } | undefined => {
  const match = /^c#([A-Za-z0-9_-]+)#(\d+)#\d+#\d+$/.exec(pk);
  return match ? { promocodeId: match[1]!, generation: Number(match[2]) } : undefined;
};

/**
 * The shard's cells in order, page by page: each page is one DynamoDB call of up to 1 MB, strongly consistent.
 * `from` and `to` narrow it to a range of cell numbers, both included.
 */
export async function* cellsOfShard(
  promocodeId: string,
  generation: Pick<Generation, "number" | "attempt">,
  shard: number,
  range: { readonly from: string; readonly to: string } = { from: cellSortKeys.first, to: cellSortKeys.last },
): AsyncGenerator<readonly Cell[]> {
  const place = { generation: generation.number, attempt: generation.attempt, shard };
  let startKey: Record<string, unknown> | undefined;
  do {
    const page = await dynamoDb.send(
      new QueryCommand({
        TableName: tableName(),
        KeyConditionExpression: "pk = :pk AND sk BETWEEN :from AND :to",
        ExpressionAttributeValues: {
          ":pk": partitions.shard({ promocodeId, ...place }),
          ":from": range.from,
          ":to": range.to,
        },
        ConsistentRead: true,
        ...(startKey && { ExclusiveStartKey: startKey }),
      }),
    );
    yield (page.Items ?? []).map((item) => cellOf({ ...place, cell: Number.parseInt(item.sk, 16) }, item));
    startKey = page.LastEvaluatedKey;
  } while (startKey);
}

const nameOf = ({ pk, sk }: Key): string => `${pk} ${sk}`;

/** These cells, each once, in the order of first mention. */
export const readCells = async (
  promocodeId: string,
  addresses: readonly CellAddress[],
  { consistent }: { readonly consistent: boolean } = { consistent: true },
): Promise<readonly Cell[]> => {
  const wanted = new Map(
    addresses.map((address) => {
      const key = keys.cell({ promocodeId, ...address });
      return [nameOf(key), { address, key }];
    }),
  );
  const items = await batchGet(
    [...wanted.values()].map(({ key }) => key),
    { consistent },
  );
  const found = new Map(items.map((item) => [nameOf(item as unknown as Key), item]));
  return [...wanted].map(([name, { address }]) => cellOf(address, found.get(name)));
};
