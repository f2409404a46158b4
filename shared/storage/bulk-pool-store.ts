import type { AttributeValue } from "@aws-sdk/client-dynamodb";
import type { AppendResult, PoolStore } from "../pool/pool-store.ts";
import { appendExpression, holdsAll } from "./append-expression.ts";
import { batchGet } from "./batch-get.ts";
import { cellOf } from "./cells.ts";
import { tableName } from "./client.ts";
import { type DirectItem, directItem } from "./direct-request.ts";
import { directUpdate } from "./direct-update.ts";
import { dynamoPoolStore } from "./pool-store.ts";
import { type Key, keys } from "./table.ts";

const textsOf = (value: AttributeValue | undefined): string[] => (value?.L ?? []).map(({ S }) => S ?? "");

const plainCell = (item: DirectItem | undefined) =>
  item && {
    k: Number(item.k?.N),
    c: item.c?.S ?? "",
    u: textsOf(item.u),
    t: textsOf(item.t),
  };

const nameOf = ({ pk, sk }: Key): string => `${pk} ${sk}`;

/**
 * The pool's store for a job that places very many: the same writes under the same conditions, sent without the SDK's
 * layers and with as many in flight as DynamoDB takes.
 */
export const bulkPoolStore = (promocodeId: string): PoolStore => ({
  ...dynamoPoolStore(promocodeId),

  async append(address, holders, capacity = holders.length): Promise<AppendResult> {
    const { ExpressionAttributeValues, ...expression } = appendExpression(holders, capacity);
    const { done, item, again } = await directUpdate({
      TableName: tableName(),
      Key: directItem({ ...keys.cell({ promocodeId, ...address }) }),
      ...expression,
      ExpressionAttributeValues: directItem(ExpressionAttributeValues),
    });
    const cell = cellOf(address, plainCell(item));
    // The answer to the first try got lost: its holders are new all the same, not repeated.
    const appended = done || (again && holdsAll(cell, holders));
    return { outcome: appended ? "appended" : "refused", cell };
  },

  async haveIntents(holders) {
    const wanted = holders.map(({ customerId, trigger }) => keys.intent(promocodeId, customerId, trigger));
    const items = await batchGet(wanted, { consistent: true });
    const found = new Set(items.map((item) => nameOf(item as unknown as Key)));
    return wanted.map((key) => found.has(nameOf(key)));
  },
});
