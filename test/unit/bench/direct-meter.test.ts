import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import {
  answer,
  exception,
  type ScriptedDynamoDb,
  startScriptedDynamoDb,
} from "../../support/scripted-dynamodb.ts";

describe("a meter of direct requests", () => {
  let dynamoDb: ScriptedDynamoDb;
  beforeAll(async () => {
    dynamoDb = await startScriptedDynamoDb(
      answer(200, { Attributes: {}, ConsumedCapacity: { CapacityUnits: 1.5 } }),
    );
  });
  beforeEach(() => dynamoDb.reset());
  afterAll(() => dynamoDb.close());

  it("adds up what is reported, and what a refused write costs by DynamoDB's rule, until it is stopped", async () => {
    const { directRequest } = await import("../../../shared/storage/direct-request.ts");
    const { meterDirectRequests } = await import("../../../bench/lib/direct-meter.ts");
    const meter = meterDirectRequests();

    await directRequest("UpdateItem", {});
    dynamoDb.next = [
      answer(200, { UnprocessedItems: {}, ConsumedCapacity: [{ CapacityUnits: 20 }, { CapacityUnits: 5 }] }),
      // 1,025 bytes with the value that was to be added.
      exception(400, "ConditionalCheckFailedException", { Item: { c: { S: "x".repeat(1_000) } } }),
    ];
    await directRequest("BatchWriteItem", {});
    const refused = directRequest("UpdateItem", {
      ExpressionAttributeValues: { ":t": { S: "y".repeat(24) } },
    });
    await expect(refused).rejects.toThrow("DynamoDB answered 400");
    meter.stop();
    await directRequest("UpdateItem", {});

    expect(meter).toMatchObject({ writeUnits: 28.5, writeCalls: 3, refused: 1 });
    const asked = dynamoDb.received.map((body) => JSON.parse(body).ReturnConsumedCapacity);
    expect(asked).toEqual(["TOTAL", "TOTAL", "TOTAL", undefined]);
  });
});
