import { randomUUID } from "node:crypto";
import {
  CreateTableCommand,
  type CreateTableCommandInput,
  DeleteTableCommand,
  DynamoDBClient,
  waitUntilTableExists,
} from "@aws-sdk/client-dynamodb";
import { type DynamoDbEngine, startDynoxide } from "../../local/dynamodb/engine.ts";
import { environmentNames } from "../../shared/environment.ts";
import { tableAttributes } from "../../shared/storage/table.ts";

/** The service's table on an engine in memory, and room for a baseline's own tables beside it. */
export interface BenchTable {
  readonly endpoint: string;
  readonly region: string;
  readonly credentials: DynamoDbEngine["credentials"];
  readonly tableName: string;
  /** Creates another table on the same engine, for a contender: on demand, ready when this resolves. */
  createTable(definition: Omit<CreateTableCommandInput, "BillingMode">): Promise<void>;
  /** Ends the engine, and all tables with it. */
  close(): Promise<void>;
}

let open = false;
/** The SDK keeps the first endpoint that a client used, so every engine of this process takes the same port. */
let port: number | undefined;

/**
 * Starts an engine in memory with the service's table, empty, and points this process at it. Import modules that hold
 * a client (`shared/storage`, `shared/allocation`) only after this call, by `await import("…")`. One at a time: close
 * it before the next.
 *
 * The table's keys are the stack's. It has no stream: the engine looks through all stream records at every write, which
 * DynamoDB does not, and would be measured instead of the design; a stream costs no write units.
 */
export const startBenchTable = async (): Promise<BenchTable> => {
  if (open) throw new Error("The last bench table is still open: close it first.");
  open = true;
  const engine = await startDynoxide({ port }).catch((error: unknown) => {
    open = false;
    throw error;
  });
  const { endpoint, region, credentials } = engine;
  if (!process.env.DYNAMODB_ENDPOINT) port = Number(new URL(endpoint).port);
  const client = new DynamoDBClient({ endpoint, region, credentials });
  const created: string[] = [];

  const createTable: BenchTable["createTable"] = async (definition) => {
    await client.send(new CreateTableCommand({ ...definition, BillingMode: "PAY_PER_REQUEST" }));
    created.push(String(definition.TableName));
    await waitUntilTableExists(
      { client, minDelay: 0.02, maxDelay: 0.2, maxWaitTime: 30 },
      { TableName: definition.TableName },
    );
  };

  const close = async () => {
    // An engine of ours dies with its tables; one that the user named would keep them.
    if (process.env.DYNAMODB_ENDPOINT)
      for (const TableName of created) await client.send(new DeleteTableCommand({ TableName }));
    client.destroy();
    await engine.close();
    open = false;
  };

  const tableName = `codewell-bench-${randomUUID()}`;
  const { partitionKey, sortKey } = tableAttributes;
  try {
    await createTable({
      TableName: tableName,
      AttributeDefinitions: [
        { AttributeName: partitionKey, AttributeType: "S" },
        { AttributeName: sortKey, AttributeType: "S" },
      ],
      KeySchema: [
        { AttributeName: partitionKey, KeyType: "HASH" },
        { AttributeName: sortKey, KeyType: "RANGE" },
      ],
    });
  } catch (error) {
    await close();
    throw error;
  }

  process.env.AWS_ENDPOINT_URL_DYNAMODB = endpoint;
  process.env.AWS_REGION = region;
  process.env.AWS_ACCESS_KEY_ID = credentials.accessKeyId;
  process.env.AWS_SECRET_ACCESS_KEY = credentials.secretAccessKey;
  process.env[environmentNames.tableName] = tableName;
  return { endpoint, region, credentials, tableName, createTable, close };
};
