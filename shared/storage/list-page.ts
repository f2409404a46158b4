import { QueryCommand } from "@aws-sdk/lib-dynamodb";
import { dynamoDb, tableName } from "./client.ts";
import { decodeCursor, encodeCursor } from "./cursors.ts";

export interface PageRequest {
  /** The list's name with its filters: only its own cursors are taken. */
  readonly list: string;
  readonly partitionKey: string;
  /** Only items whose sort key begins so. @default all of the partition */
  readonly sortKeyPrefix?: string;
  readonly limit: number;
  readonly cursor: string | undefined;
  /**
   * True: from the last sort key to the first, which for generated ids is newest first.
   * @default from the first to the last
   */
  readonly backwards?: boolean;
  /** Leaves out items; the page is filled from what comes behind. */
  readonly filter?: {
    readonly FilterExpression: string;
    readonly ExpressionAttributeNames: Record<string, string>;
    readonly ExpressionAttributeValues: Record<string, unknown>;
  };
}

export interface ItemPage {
  readonly items: readonly Record<string, unknown>[];
  /** Present when there is more. */
  readonly nextCursor?: string;
}

/**
 * A page of a partition's items in the order of their sort keys, strongly consistent.
 *
 * A sort key is of printable ASCII: right behind each comes itself with a space, and behind all of a prefix a DEL. So
 * right before each comes whatever begins with its last character's predecessor, up to a DEL.
 */
export const listPage = async ({
  list,
  partitionKey,
  sortKeyPrefix = "",
  limit,
  cursor,
  backwards = false,
  filter,
}: PageRequest): Promise<ItemPage> => {
  const whole = { from: `${sortKeyPrefix} `, to: `${sortKeyPrefix}\u007f` };
  const beyond = (position: string): Partial<typeof whole> =>
    backwards ? { to: rightBefore(position) } : { from: `${position} ` };
  let range = cursor === undefined ? whole : { ...whole, ...beyond(await decodeCursor(list, cursor)) };
  // One more than the page, to know whether there is another page.
  const wanted = limit + 1;
  const items: Record<string, unknown>[] = [];
  for (;;) {
    const page = await dynamoDb.send(
      new QueryCommand({
        TableName: tableName(),
        KeyConditionExpression: "pk = :pk AND sk BETWEEN :from AND :to",
        ConsistentRead: true,
        ScanIndexForward: !backwards,
        // DynamoDB counts before it filters: with a filter, read whole pages of 1 MB.
        ...(!filter && { Limit: wanted - items.length }),
        ...filter,
        ExpressionAttributeValues: {
          ...filter?.ExpressionAttributeValues,
          ":pk": partitionKey,
          ":from": range.from,
          ":to": range.to,
        },
      }),
    );
    items.push(...(page.Items ?? []));
    if (items.length >= wanted || page.LastEvaluatedKey === undefined) break;
    range = { ...whole, ...beyond(String(page.LastEvaluatedKey.sk)) };
  }
  const last = items[limit - 1];
  if (items.length <= limit || last === undefined) return { items };
  return { items: items.slice(0, limit), nextCursor: await encodeCursor(list, String(last.sk)) };
};

/** Sorts right before a sort key, of printable ASCII, and behind all that come before it. */
export const rightBefore = (sortKey: string): string =>
  `${sortKey.slice(0, -1)}${String.fromCharCode(sortKey.charCodeAt(sortKey.length - 1) - 1)}\u007f`;
