import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { DynamoDBDocumentClient } from "@aws-sdk/lib-dynamodb";
import { NodeHttpHandler } from "@smithy/node-http-handler";
import { environment } from "../environment.ts";

/**
 * The DynamoDB client of this process. A hung connection ends in seconds, not at the gateway's limit: without
 * `throwOnRequestTimeout` the handler only warns (github.com/smithy-lang/smithy-typescript, node-http-handler).
 */
export const dynamoDb = DynamoDBDocumentClient.from(
  new DynamoDBClient({
    maxAttempts: 5,
    requestHandler: new NodeHttpHandler({
      // From two seconds on the handler looks at a pending connection twice. Below, one timer per connection ends them
      // all when the process itself stood still (timers run before arrivals are read), and so the retry tokens too.
      connectionTimeout: 2_000,
      requestTimeout: 3_000,
      throwOnRequestTimeout: true,
      httpAgent: { maxSockets: 256, keepAlive: true },
      httpsAgent: { maxSockets: 256, keepAlive: true },
    }),
  }),
  {
    marshallOptions: {
      removeUndefinedValues: true,
      // A caller's metadata may have a key called "constructor", which the marshaller takes for a class.
      convertClassInstanceToMap: true,
    },
  },
);

/** The table's name, read at first use so that tests can set it per engine. */
export const tableName = (): string => environment("tableName");
