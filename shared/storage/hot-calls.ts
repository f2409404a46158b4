import { BatchGetItemCommand, UpdateItemCommand } from "@aws-sdk/client-dynamodb";
import type { UpdateCommandInput } from "@aws-sdk/lib-dynamodb";
import { marshall, unmarshall } from "@aws-sdk/util-dynamodb";
import { marshallOptions, plainDynamoDb, tableName } from "./client.ts";
import type { Key } from "./table.ts";

/**
 * The two calls that every allocation makes, with plain values as the document client takes them, at about half of
 * its processor time (`npm run bench -- overhead`). All others are fine with the document client.
 */

/** Runs an update of one item; answers the attributes that it was asked to return. */
export const updateItem = async (
  key: Key,
  { ExpressionAttributeValues, ...update }: Omit<UpdateCommandInput, "TableName" | "Key">,
): Promise<Record<string, unknown> | undefined> => {
  const { Attributes } = await plainDynamoDb.send(
    new UpdateItemCommand({
      ...(update as Omit<typeof update, "Expected" | "AttributeUpdates">),
      TableName: tableName(),
      Key: marshall({ ...key }),
      ...(ExpressionAttributeValues && {
        ExpressionAttributeValues: marshall(ExpressionAttributeValues, marshallOptions),
      }),
    }),
  );
  return Attributes && unmarshall(Attributes);
};

/**
 * Strongly consistent, in one request, in no order: those of a few items that exist and that DynamoDB got round to
 * reading. Whatever is missing may be there all the same: ask for it again.
 */
export const readFew = async (keys: readonly Key[]): Promise<readonly Record<string, unknown>[]> => {
  const name = tableName();
  const { Responses } = await plainDynamoDb.send(
    new BatchGetItemCommand({
      RequestItems: { [name]: { Keys: keys.map((key) => marshall({ ...key })), ConsistentRead: true } },
    }),
  );
  return (Responses?.[name] ?? []).map((item) => unmarshall(item));
};
