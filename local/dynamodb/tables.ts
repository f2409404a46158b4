import {
  CreateTableCommand,
  DescribeTableCommand,
  DynamoDBClient,
  ResourceNotFoundException,
  type TableDescription,
  UpdateTimeToLiveCommand,
} from "@aws-sdk/client-dynamodb";
import type { TableFacts } from "../template/facts.ts";
import type { DynamoDbEngine } from "./engine.ts";

export interface LocalTable {
  /** True when it was not there before. */
  readonly created: boolean;
  /** The engine's ARN, if the table has a stream. */
  readonly streamArn?: string;
}

/** Makes the template's table if it is not there yet. Throws when there is one of another shape. */
export async function ensureTable(engine: DynamoDbEngine, facts: TableFacts): Promise<LocalTable> {
  const client = new DynamoDBClient(engine);
  try {
    const existing = await describe(client, facts.name);
    if (existing === undefined) await create(client, facts);
    else assertSame(facts, existing);
    const { LatestStreamArn } = await activeTable(client, facts.name);
    return {
      created: existing === undefined,
      ...(LatestStreamArn === undefined ? {} : { streamArn: LatestStreamArn }),
    };
  } finally {
    client.destroy();
  }
}

async function describe(client: DynamoDBClient, name: string): Promise<TableDescription | undefined> {
  try {
    return (await client.send(new DescribeTableCommand({ TableName: name }))).Table;
  } catch (error) {
    if (error instanceof ResourceNotFoundException) return undefined;
    throw error;
  }
}

async function create(client: DynamoDBClient, facts: TableFacts): Promise<void> {
  const index = ({ IndexName, KeySchema, Projection }: TableFacts["globalIndexes"][number]) => ({
    IndexName,
    KeySchema: [...KeySchema],
    Projection: {
      ProjectionType: Projection.ProjectionType,
      ...(Projection.NonKeyAttributes && { NonKeyAttributes: [...Projection.NonKeyAttributes] }),
    },
  });
  await client.send(
    new CreateTableCommand({
      TableName: facts.name,
      BillingMode: "PAY_PER_REQUEST",
      KeySchema: [...facts.keySchema],
      AttributeDefinitions: [...facts.attributes],
      ...(facts.globalIndexes.length > 0 && { GlobalSecondaryIndexes: facts.globalIndexes.map(index) }),
      ...(facts.localIndexes.length > 0 && { LocalSecondaryIndexes: facts.localIndexes.map(index) }),
      ...(facts.streamViewType !== undefined && {
        StreamSpecification: { StreamEnabled: true, StreamViewType: facts.streamViewType },
      }),
    }),
  );
  await activeTable(client, facts.name);
  if (facts.ttlAttribute === undefined) return;
  await client.send(
    new UpdateTimeToLiveCommand({
      TableName: facts.name,
      TimeToLiveSpecification: { AttributeName: facts.ttlAttribute, Enabled: true },
    }),
  );
}

async function activeTable(client: DynamoDBClient, name: string): Promise<TableDescription> {
  for (;;) {
    const table = await describe(client, name);
    if (table?.TableStatus === "ACTIVE") return table;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function assertSame(facts: TableFacts, existing: TableDescription): void {
  const shape = (
    keys: readonly { AttributeName?: string | undefined; KeyType?: string | undefined }[] = [],
  ) => keys.map((key) => `${key.KeyType} ${key.AttributeName}`).join(", ");
  const indexes = (list: readonly { IndexName?: string | undefined }[] = []) =>
    list
      .map((each) => each.IndexName)
      .sort()
      .join(", ");
  const same =
    shape(facts.keySchema) === shape(existing.KeySchema) &&
    indexes(facts.globalIndexes) === indexes(existing.GlobalSecondaryIndexes) &&
    facts.streamViewType === existing.StreamSpecification?.StreamViewType;
  if (!same)
    throw new Error(
      `The table ${facts.name} was made by an older stack: its keys, indexes or stream differ. Begin anew: npm start -- --fresh`,
    );
}
