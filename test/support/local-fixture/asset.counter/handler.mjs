// Counts in the table what the table's stream brings.
import { DynamoDBClient, UpdateItemCommand } from "@aws-sdk/client-dynamodb";

const client = new DynamoDBClient({});

export const handler = async ({ Records, shardId, state }) => {
  if (Records.length > 0)
    await client.send(
      new UpdateItemCommand({
        TableName: process.env.TABLE_NAME,
        Key: { pk: { S: "count" } },
        UpdateExpression: "ADD seen :n SET #shard = :shard",
        ExpressionAttributeNames: { "#shard": "shard" },
        ExpressionAttributeValues: { ":n": { N: String(Records.length) }, ":shard": { S: shardId } },
      }),
    );
  return { state };
};
