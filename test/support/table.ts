import { randomUUID } from "node:crypto";
import { CreateTableCommand, DynamoDBClient, waitUntilTableExists } from "@aws-sdk/client-dynamodb";
import { vi } from "vitest";
import type { DynamoDbEngine } from "../../local/dynamodb/engine.ts";
import { tableAttributes } from "../../shared/storage/table.ts";

/**
 * Creates an empty table as the stack defines it and points this process at it. Each test can have its own.
 *
 * The SDK keeps the first endpoint that a client used, so modules that hold a client must be imported after this
 * call (`await import("…")`): a new engine makes them be loaded anew. Answers the table's name.
 * Without a stream many writes are faster: dynoxide looks through all records of a stream at each of them.
 */
export const createTable = async (
  engine: DynamoDbEngine,
  { hasStream = true }: { readonly hasStream?: boolean } = {},
): Promise<string> => {
  const name = `codewell-${randomUUID()}`;
  const client = new DynamoDBClient({
    endpoint: engine.endpoint,
    region: engine.region,
    credentials: engine.credentials,
  });
  const { partitionKey, sortKey } = tableAttributes;
  await client.send(
    new CreateTableCommand({
      TableName: name,
      BillingMode: "PAY_PER_REQUEST",
      AttributeDefinitions: [
        { AttributeName: partitionKey, AttributeType: "S" },
        { AttributeName: sortKey, AttributeType: "S" },
      ],
      KeySchema: [
        { AttributeName: partitionKey, KeyType: "HASH" },
        { AttributeName: sortKey, KeyType: "RANGE" },
      ],
      ...(hasStream && {
        StreamSpecification: { StreamEnabled: true, StreamViewType: "NEW_AND_OLD_IMAGES" },
      }),
    }),
  );
  await waitUntilTableExists({ client, minDelay: 0.02, maxDelay: 0.2, maxWaitTime: 30 }, { TableName: name });
  client.destroy();

  if (process.env.AWS_ENDPOINT_URL_DYNAMODB !== engine.endpoint) vi.resetModules();
  process.env.AWS_ENDPOINT_URL_DYNAMODB = engine.endpoint;
  process.env.AWS_REGION = engine.region;
  process.env.AWS_ACCESS_KEY_ID = engine.credentials.accessKeyId;
  process.env.AWS_SECRET_ACCESS_KEY = engine.credentials.secretAccessKey;
  process.env.TABLE_NAME = name;
  return name;
};
