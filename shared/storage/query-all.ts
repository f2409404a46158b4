import { QueryCommand } from "@aws-sdk/lib-dynamodb";
import { dynamoDb, tableName } from "./client.ts";

/** All items of a partition whose sort key begins so, in order, strongly consistent: every page is read. */
export const queryAll = async (
  partitionKey: string,
  sortKeyPrefix: string,
): Promise<readonly Record<string, unknown>[]> => {
  const items: Record<string, unknown>[] = [];
  let startKey: Record<string, unknown> | undefined;
  do {
    const page = await dynamoDb.send(
      new QueryCommand({
        TableName: tableName(),
        KeyConditionExpression: "pk = :pk AND begins_with(sk, :prefix)",
        ExpressionAttributeValues: { ":pk": partitionKey, ":prefix": sortKeyPrefix },
        ConsistentRead: true,
        ...(startKey && { ExclusiveStartKey: startKey }),
      }),
    );
    items.push(...(page.Items ?? []));
    startKey = page.LastEvaluatedKey;
  } while (startKey);
  return items;
};
