import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** How a request is answered, if at all. `input` is what it asked for. */
export type Reply = (
  response: ServerResponse,
  input: Readonly<Record<string, unknown>>,
  request: IncomingMessage,
) => void | Promise<void>;

/** What answers in DynamoDB's place, over HTTP, as a test says. */
export interface ScriptedDynamoDb {
  /** How the next requests are answered, in their order; each is used once. */
  next: Reply[];
  /** How the others are answered. */
  otherwise: Reply;
  /** The bodies of the requests that arrived. */
  readonly received: string[];
  /** Forgets what arrived, and answers as it did at first. */
  reset(): void;
  close(): void;
}

export const answer =
  (status: number, body: unknown): Reply =>
  (response) => {
    response
      .writeHead(status, { "Content-Type": "application/x-amz-json-1.0" })
      .end(typeof body === "string" ? body : JSON.stringify(body));
  };

export const exception = (status: number, name: string, body: object = {}): Reply =>
  answer(status, { __type: `com.amazonaws.dynamodb.v20120810#${name}`, ...body });

/**
 * Starts it on a free port and points the clients of this process at it, which are imported after this. It answers as
 * `usually`, where a test says nothing else.
 */
export const startScriptedDynamoDb = async (usually: Reply): Promise<ScriptedDynamoDb> => {
  const received: string[] = [];
  const server = createServer(async (request, response) => {
    let body = "";
    request.setEncoding("utf8");
    for await (const chunk of request) body += chunk;
    received.push(body);
    await (scripted.next.shift() ?? scripted.otherwise)(response, JSON.parse(body), request);
  });
  const scripted: ScriptedDynamoDb = {
    next: [],
    otherwise: usually,
    received,
    reset: () => {
      scripted.next = [];
      scripted.otherwise = usually;
      received.length = 0;
    },
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  Object.assign(process.env, {
    AWS_ENDPOINT_URL_DYNAMODB: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    AWS_REGION: "eu-west-1",
    AWS_ACCESS_KEY_ID: "any",
    AWS_SECRET_ACCESS_KEY: "any",
  });
  return scripted;
};
