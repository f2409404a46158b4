import { QueryCommand } from "@aws-sdk/lib-dynamodb";
import type { StoredPromocode } from "../domain/promocode.ts";
import { dynamoDb, tableName } from "./client.ts";
import { promocodesOf } from "./promocodes.ts";
import { partitions } from "./table.ts";

/**
 * Promocodes in the order of their ids, from behind `promocodeId` on, or from it on when `inclusive`. `lastId` is set
 * when there may be more.
 */
export const promocodesAfter = async (
  promocodeId: string | undefined,
  { limit, inclusive }: { readonly limit: number; readonly inclusive: boolean },
): Promise<{ readonly promocodes: readonly StoredPromocode[]; readonly lastId: string | undefined }> => {
  const { Items = [], LastEvaluatedKey } = await dynamoDb.send(
    new QueryCommand({
      TableName: tableName(),
      KeyConditionExpression: `pk = :pk AND sk ${inclusive ? ">=" : ">"} :start`,
      // A sort key is never empty, and all of them come behind the space.
      ExpressionAttributeValues: { ":pk": partitions.promocodes, ":start": promocodeId ?? " " },
      ConsistentRead: true,
      Limit: limit,
    }),
  );
  const ids = Items.map(({ sk }) => String(sk));
  return { promocodes: await promocodesOf(ids), lastId: LastEvaluatedKey && ids.at(-1) };
};
