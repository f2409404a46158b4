import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import {
  answer,
  exception,
  type Reply,
  type ScriptedDynamoDb,
  startScriptedDynamoDb,
} from "../../support/scripted-dynamodb.ts";

const success = answer(200, { Attributes: { u: { L: [{ S: "ada" }] } } });

const troubles: readonly (readonly [string, Reply])[] = [
  ["the connection is reset", (_, __, request) => void request.socket.resetAndDestroy()],
  ["the connection is closed without an answer", (_, __, request) => void request.socket.destroy()],
  [
    "half an answer arrives",
    (response, _, request) => {
      response.writeHead(200, { "Content-Length": "1000" });
      response.write('{"Attributes":', () => request.socket.destroy());
    },
  ],
  ["nothing is answered for three seconds", () => undefined],
  [
    "an answer stops half way",
    (response) => {
      response.writeHead(200, { "Content-Length": "1000" });
      response.write('{"Attributes":');
    },
  ],
  ["something else than HTTP answers", (_, __, request) => void request.socket.end("what?\r\n\r\n")],
  ["a proxy answers a page", answer(200, "<html>")],
  ["a success arrives that says nothing", answer(200, "")],
  ["a success arrives that tells no item", answer(200, {})],
  ["a success arrives that is no object", answer(200, "null")],
  ["a proxy cannot reach DynamoDB", answer(502, "<html>")],
  ["DynamoDB throttles", exception(400, "ThrottlingException")],
  ["DynamoDB is in trouble", exception(500, "InternalServerError")],
];

describe("a direct update", () => {
  let dynamoDb: ScriptedDynamoDb;
  let directUpdate: typeof import("../../../shared/storage/direct-update.ts").directUpdate;

  beforeAll(async () => {
    dynamoDb = await startScriptedDynamoDb(success);
    ({ directUpdate } = await import("../../../shared/storage/direct-update.ts"));
  });
  beforeEach(() => dynamoDb.reset());
  afterAll(() => dynamoDb.close());

  const append = () => directUpdate({ TableName: "codes", Key: { pk: { S: "c" } } });

  // Of the longest two, three seconds are the time-out.
  it.each(troubles)(
    "is sent again when %s",
    async (_, trouble) => {
      dynamoDb.next = [trouble];

      const outcome = await append();

      expect(outcome).toEqual({ done: true, again: true, item: { u: { L: [{ S: "ada" }] } } });
      expect(dynamoDb.received).toHaveLength(2);
      expect(dynamoDb.received[1]).toBe(dynamoDb.received[0]);
    },
    15_000,
  );

  it("is signed by the server's clock, once the SDK knows that this machine's is off", async () => {
    const { dynamoDb: sdk } = await import("../../../shared/storage/client.ts");
    const dates: string[] = [];
    const noted: Reply = (response, input, request) => {
      dates.push(String(request.headers["x-amz-date"]).slice(0, 8));
      return success(response, input, request);
    };
    dynamoDb.next = [noted, noted];

    await append();
    sdk.config.systemClockOffset = Date.parse("2040-06-15T12:00:00Z") - Date.now();
    await append().finally(() => {
      sdk.config.systemClockOffset = 0;
    });

    expect(dates[0]).not.toBe("20400615");
    expect(dates[1]).toBe("20400615");
  });

  it("that was refused brings the item, and is not sent again", async () => {
    dynamoDb.next = [exception(400, "ConditionalCheckFailedException", { Item: { k: { N: "1" } } })];

    const outcome = await append();

    expect(outcome).toEqual({ done: false, again: false, item: { k: { N: "1" } } });
    expect(dynamoDb.received).toHaveLength(1);
  });

  it.each([
    [
      "DynamoDB finds wrong",
      exception(400, "ValidationException", { message: "no such key" }),
      "no such key",
    ],
    ["a proxy forbids", answer(403, "<html>not here</html>"), "403: <html>not here</html>"],
  ])("that %s is not sent again, and the error says why", async (_, refusal, message) => {
    dynamoDb.next = [refusal];

    await expect(append()).rejects.toThrow(message);

    expect(dynamoDb.received).toHaveLength(1);
  });
});
