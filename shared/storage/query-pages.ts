import { QueryCommand } from "@aws-sdk/lib-dynamodb";
import { dynamoDb, tableName } from "./client.ts";

/**
 * Items of a partition whose sort key begins so, in order, strongly consistent, page by page; no page is empty.
 * @param limit most items of a page. @default what DynamoDB answers at once, 1 MB
 */
export async function* queryPages(
  partitionKey: string,
  sortKeyPrefix: string,
  limit?: number,
): AsyncGenerator<readonly Record<string, unknown>[]> {
  let startKey: Record<string, unknown> | undefined;
  do {
    const page = await dynamoDb.send(
      new QueryCommand({
        TableName: tableName(),
        KeyConditionExpression: "pk = :pk AND begins_with(sk, :prefix)",
        ExpressionAttributeValues: { ":pk": partitionKey, ":prefix": sortKeyPrefix },
        ConsistentRead: true,
        ...(limit !== undefined && { Limit: limit }),
        ...(startKey && { ExclusiveStartKey: startKey }),
      }),
    );
    if (page.Items && page.Items.length > 0) yield page.Items;
    startKey = page.LastEvaluatedKey;
  } while (startKey);
}
