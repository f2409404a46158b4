import { DynamoDBClient, type DynamoDBClientConfig } from "@aws-sdk/client-dynamodb";
import { DynamoDBDocumentClient } from "@aws-sdk/lib-dynamodb";
import type { marshallOptions as MarshallOptions } from "@aws-sdk/util-dynamodb";
import { NodeHttpHandler } from "@smithy/node-http-handler";
import { environment } from "../environment.ts";

/**
 * A hung connection ends in seconds, not at the gateway's limit: without `throwOnRequestTimeout` the handler only
 * warns (github.com/smithy-lang/smithy-typescript, node-http-handler).
 */
const settings: DynamoDBClientConfig = {
  maxAttempts: 5,
  requestHandler: new NodeHttpHandler({
    // From two seconds on the handler looks at a pending connection twice. Below, one timer per connection ends them
    // all when the process itself stood still (timers run before arrivals are read), and so the retry tokens too.
    connectionTimeout: 2_000,
    requestTimeout: 3_000,
    throwOnRequestTimeout: true,
    // The one above ends with the answer's head: without this, an answer that stops in its middle is waited for for ever.
    socketTimeout: 3_000,
    httpAgent: { maxSockets: 256, keepAlive: true },
    httpsAgent: { maxSockets: 256, keepAlive: true },
  }),
};

export const marshallOptions: MarshallOptions = {
  removeUndefinedValues: true,
  // A caller's metadata may have a key called "constructor", which the marshaller takes for a class.
  convertClassInstanceToMap: true,
};

const client = new DynamoDBClient(settings);
// Makes a record of every request and answer for a logger that throws it away.
client.middlewareStack.remove("loggerMiddleware");

/** The DynamoDB client of this process. It writes into the options that it is given, so it gets its own. */
export const dynamoDb = DynamoDBDocumentClient.from(client, { marshallOptions: { ...marshallOptions } });

/**
 * The same without the document client's detour, for `hot-calls.ts`. A function puts the SDK's middlewares together
 * once for a kind of command, not for every call, which the document client does not permit; elsewhere, as in tests,
 * they may change between two calls.
 */
export const plainDynamoDb = new DynamoDBClient({
  ...settings,
  cacheMiddleware: process.env.AWS_LAMBDA_FUNCTION_NAME !== undefined,
});
// One stack for both: retry tokens and credentials are shared, and whoever listens to one client hears the other.
plainDynamoDb.middlewareStack = client.middlewareStack;

/** The table's name, read at first use so that tests can set it per engine. */
export const tableName = (): string => environment("tableName");
