import { CreateTableCommand, DynamoDBClient, waitUntilTableExists } from "@aws-sdk/client-dynamodb";
import {
  BatchWriteCommand,
  DynamoDBDocumentClient,
  GetCommand,
  PutCommand,
  QueryCommand,
  TransactWriteCommand,
  UpdateCommand,
} from "@aws-sdk/lib-dynamodb";
import { marshall } from "@aws-sdk/util-dynamodb";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { itemBytes } from "../../bench/lib/item-size.ts";
import { type Meter, meter } from "../../bench/lib/meter.ts";
import type { DynamoDbEngine } from "../../local/dynamodb/engine.ts";
import { engines } from "../support/engines.ts";

describe.each(engines)("the bench's meter on $name", ({ start }) => {
  const TableName = "metered";
  let engine: DynamoDbEngine;
  let client: DynamoDBDocumentClient;
  let consumed: Meter;

  beforeAll(async () => {
    engine = await start();
    const { endpoint, region, credentials } = engine;
    client = DynamoDBDocumentClient.from(new DynamoDBClient({ endpoint, region, credentials }));
    await client.send(
      new CreateTableCommand({
        TableName,
        BillingMode: "PAY_PER_REQUEST",
        AttributeDefinitions: [
          { AttributeName: "pk", AttributeType: "S" },
          { AttributeName: "available", AttributeType: "S" },
        ],
        KeySchema: [{ AttributeName: "pk", KeyType: "HASH" }],
        GlobalSecondaryIndexes: [
          {
            IndexName: "available-codes",
            KeySchema: [
              { AttributeName: "available", KeyType: "HASH" },
              { AttributeName: "pk", KeyType: "RANGE" },
            ],
            Projection: { ProjectionType: "KEYS_ONLY" },
          },
        ],
      }),
    );
    await waitUntilTableExists(
      {
        client: new DynamoDBClient({ endpoint, region, credentials }),
        minDelay: 0.02,
        maxDelay: 0.2,
        maxWaitTime: 10,
      },
      { TableName },
    );
    consumed = meter(client);
  });
  afterAll(() => engine.close());
  beforeEach(() => consumed.reset());

  const put = (Item: Record<string, unknown>, condition?: string) =>
    client.send(new PutCommand({ TableName, Item, ...(condition && { ConditionExpression: condition }) }));
  const refused = (work: Promise<unknown>) => expect(work).rejects.toThrow();

  it("counts what the engine reports for writes and reads", async () => {
    await put({ pk: "large", text: "x".repeat(2_000) });
    await client.send(new GetCommand({ TableName, Key: { pk: "large" }, ConsistentRead: true }));
    await client.send(
      new BatchWriteCommand({
        RequestItems: {
          [TableName]: [{ PutRequest: { Item: { pk: "a" } } }, { PutRequest: { Item: { pk: "b" } } }],
        },
      }),
    );

    expect(consumed).toMatchObject({
      writeUnits: 4,
      writeCalls: 2,
      readUnits: 1,
      readCalls: 1,
      refused: 0,
      retries: 0,
    });
  });

  it("counts writes to an index, and tells them apart", async () => {
    await put({ pk: "indexed", available: "yes" });
    await client.send(
      new UpdateCommand({ TableName, Key: { pk: "indexed" }, UpdateExpression: "REMOVE available" }),
    );

    expect(consumed).toMatchObject({ writeUnits: 4, indexWriteUnits: 2 });
  });

  it("charges a refused write for the larger of the stored item and the one to be", async () => {
    await put({ pk: "stored", text: "x".repeat(2_000) });
    await put({ pk: "small" });
    consumed.reset();

    await refused(put({ pk: "stored" }, "attribute_not_exists(pk)"));
    expect(consumed).toMatchObject({ writeUnits: 2, refusedWriteUnits: 2, refused: 1, writeCalls: 1 });

    await refused(put({ pk: "small", text: "x".repeat(3_000) }, "attribute_not_exists(pk)"));
    expect(consumed).toMatchObject({ writeUnits: 5, refused: 2 });

    const update = new UpdateCommand({
      TableName,
      Key: { pk: "stored" },
      UpdateExpression: "SET more = :more",
      ExpressionAttributeValues: { ":more": "x".repeat(100) },
      ConditionExpression: "attribute_not_exists(pk)",
    });
    await refused(client.send(update));
    expect(consumed).toMatchObject({ writeUnits: 8, refused: 3 });
  });

  it("charges a cancelled transaction for its first phase", async () => {
    await put({ pk: "taken" });
    consumed.reset();
    const taken = {
      Put: { TableName, Item: { pk: "taken" }, ConditionExpression: "attribute_not_exists(pk)" },
    };
    const other = { Put: { TableName, Item: { pk: "not taken" } } };

    await refused(client.send(new TransactWriteCommand({ TransactItems: [taken, other] })));

    expect(consumed).toMatchObject({ writeUnits: 2, refusedWriteUnits: 2, refused: 1 });
  });

  it("charges nothing for a call that the engine does not take", async () => {
    await refused(client.send(new QueryCommand({ TableName, KeyConditionExpression: "nonsense" })));
    await refused(put({ nonsense: true }));

    expect(consumed).toMatchObject({ writeUnits: 0, readUnits: 0, refused: 0, writeCalls: 1, readCalls: 1 });
  });

  it("keeps the figures of a moment, and starts again at zero", async () => {
    await put({ pk: "a" });
    const moment = { ...consumed };
    await put({ pk: "a" });

    expect([moment.writeUnits, consumed.writeUnits]).toEqual([1, 2]);
    consumed.reset();
    expect(consumed.writeUnits).toBe(0);
  });

  // Refused writes are charged by our own measure of an item, so it must be the engine's.
  it.each([
    ["text", { text: "ü".repeat(100) }],
    ["numbers", { one: 7, long: 1_234_567.25, negative: -0.5, none: 0 }],
    ["lists and maps", { list: ["a", ["b", { c: null }]], map: { yes: true, inner: { no: false } } }],
    ["sets and bytes", { names: new Set(["a", "bc"]), numbers: new Set([1, 200]), bytes: new Uint8Array(9) }],
  ])("measures an item of %s as the engine does", async (pk, attributes) => {
    const withPadding = (bytes: number) => ({ pk, ...attributes, padding: "x".repeat(bytes) });
    const room = 1_024 - itemBytes(marshall(withPadding(0)));

    await put(withPadding(room));
    expect(consumed.writeUnits).toBe(1);
    consumed.reset();
    await put(withPadding(room + 1));
    expect(consumed.writeUnits).toBe(2);
  });
});
