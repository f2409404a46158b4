import { UpdateCommand } from "@aws-sdk/lib-dynamodb";
import type { EventName } from "../contract/events.ts";
import { dynamoDb, tableName } from "./client.ts";
import type { Key } from "./table.ts";

/** Notes on a record what the bus was told last of what became of it. */
export const markTold = async (key: Key, told: EventName): Promise<void> => {
  await dynamoDb.send(
    new UpdateCommand({
      TableName: tableName(),
      Key: key,
      UpdateExpression: "SET told = :told",
      ConditionExpression: "attribute_exists(pk)",
      ExpressionAttributeValues: { ":told": told },
    }),
  );
};
