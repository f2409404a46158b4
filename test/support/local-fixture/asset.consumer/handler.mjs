// Notes every object that S3 announces; what is called `poison` fails, again and again.
import { DynamoDBClient, UpdateItemCommand } from "@aws-sdk/client-dynamodb";

const client = new DynamoDBClient({});

export const handler = async ({ Records }) => {
  const batchItemFailures = [];
  for (const message of Records) {
    const { Records: events = [] } = JSON.parse(message.body);
    for (const { s3 } of events) {
      await client.send(
        new UpdateItemCommand({
          TableName: process.env.TABLE_NAME,
          Key: { pk: { S: `file#${s3.object.key}` } },
          UpdateExpression: "ADD attempts :one SET #size = :size",
          ExpressionAttributeNames: { "#size": "size" },
          ExpressionAttributeValues: { ":one": { N: "1" }, ":size": { N: String(s3.object.size) } },
        }),
      );
      if (s3.object.key.includes("poison")) batchItemFailures.push({ itemIdentifier: message.messageId });
    }
  }
  return { batchItemFailures };
};
