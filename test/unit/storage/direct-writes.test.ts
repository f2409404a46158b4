import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";

type Reply = (request: IncomingMessage, response: ServerResponse) => void;

const json = (response: ServerResponse, status: number, body: unknown) =>
  response
    .writeHead(status, { "Content-Type": "application/x-amz-json-1.0" })
    .end(typeof body === "string" ? body : JSON.stringify(body));

const success: Reply = (_, response) =>
  json(response, 200, { Attributes: { u: { L: [{ S: "ada" }] } }, ConsumedCapacity: { CapacityUnits: 1 } });
const refusal: Reply = (_, response) =>
  json(response, 400, {
    __type: "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException",
    Item: { k: { N: "1" } },
  });

const troubles: readonly (readonly [string, Reply])[] = [
  ["the connection is reset", (request) => request.socket.resetAndDestroy()],
  ["the connection is closed without an answer", (request) => request.socket.destroy()],
  [
    "half an answer arrives",
    (request, response) => {
      response.writeHead(200, { "Content-Length": "1000" });
      response.write('{"Attributes":', () => request.socket.destroy());
    },
  ],
  ["nothing is answered for three seconds", () => undefined],
  [
    "an answer stops half way",
    (_, response) => {
      response.writeHead(200, { "Content-Length": "1000" });
      response.write('{"Attributes":');
    },
  ],
  ["something else than HTTP answers", (request) => request.socket.end("what?\r\n\r\n")],
  ["a proxy answers a page", (_, response) => json(response, 200, "<html>")],
  ["DynamoDB throttles", (_, response) => json(response, 400, { __type: "x#ThrottlingException" })],
  ["DynamoDB is in trouble", (_, response) => json(response, 500, { __type: "x#InternalServerError" })],
];

describe("a direct write", () => {
  let server: Server;
  let replies: Reply[];
  let received: string[];
  let directWrite: typeof import("../../../shared/storage/direct-writes.ts").directWrite;

  beforeAll(async () => {
    server = createServer((request, response) => {
      let body = "";
      request.on("data", (chunk: Buffer) => {
        body += chunk.toString();
      });
      request.on("end", () => {
        received.push(body);
        (replies.shift() ?? success)(request, response);
      });
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    process.env.AWS_ENDPOINT_URL_DYNAMODB = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    process.env.AWS_REGION = "eu-west-1";
    process.env.AWS_ACCESS_KEY_ID = "any";
    process.env.AWS_SECRET_ACCESS_KEY = "any";
    ({ directWrite } = await import("../../../shared/storage/direct-writes.ts"));
  });
  beforeEach(() => {
    replies = [];
    received = [];
  });
  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });

  const append = () => directWrite("UpdateItem", { TableName: "codes", Key: { pk: { S: "c" } } });

  it.each(troubles)("is sent again when %s", async (_, trouble) => {
    replies = [trouble];

    const outcome = await append();

    expect(outcome).toMatchObject({ done: true, again: true, item: { u: { L: [{ S: "ada" }] } } });
    expect(received).toHaveLength(2);
    expect(received[1]).toBe(received[0]);
  });

  it("that was refused brings the item, and is not sent again", async () => {
    replies = [refusal];

    const outcome = await append();

    expect(outcome).toEqual({ done: false, again: false, item: { k: { N: "1" } } });
    expect(received).toHaveLength(1);
  });

  it("that DynamoDB finds wrong is not sent again", async () => {
    replies = [
      (_, response) => json(response, 400, { __type: "x#ValidationException", message: "no such key" }),
    ];

    await expect(append()).rejects.toThrow("no such key");

    expect(received).toHaveLength(1);
  });
});
