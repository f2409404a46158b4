import { randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { FunctionError } from "../functions/function-error.ts";
import type { ApiFacts } from "../template/facts.ts";
import { localAccountId } from "../template/read-template.ts";
import { type Authorization, authorizer, type Invoke } from "./authorizer.ts";
import { type GatewayCall, headerOf, readCall } from "./call.ts";
import { type GatewayAnswer, gatewayResponses, type RenderRefusal } from "./gateway-response.ts";
import { proxyAnswer } from "./proxy-answer.ts";
import { proxyEvent } from "./proxy-event.ts";
import { Refusal } from "./refusal.ts";
import { type Match, router } from "./router.ts";
import { throttle } from "./throttle.ts";

export interface GatewayOptions {
  readonly facts: ApiFacts;
  readonly region: string;
  readonly invoke: Invoke;
  /** 0: a free one. */
  readonly port: number;
  /** @default 127.0.0.1 */
  readonly host?: string;
}

export interface Gateway {
  /** `http://127.0.0.1:<port>`; the API is at the root, without a stage. */
  readonly url: string;
  readonly port: number;
  /** Takes no new connections, lets requests in flight finish for so long, then ends the rest. */
  close(graceMs: number): Promise<void>;
}

/** API Gateway's limit (docs.aws.amazon.com/apigateway/latest/developerguide/limits.html). */
const maxBodyBytes = 10 * 1024 * 1024;

/** Serves the REST API of the template on loopback, with the gateway's own checks and answers. */
export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  const answerCall = pipeline(options);
  const render = gatewayResponses(options.facts.gatewayResponses);
  // Node would refuse a request without a host in words of its own.
  const server = createServer({ requireHostHeader: false }, (request, response) => {
    response.on("finish", () => {
      // While it stops, no connection is kept for another request.
      if (!server.listening) request.socket.end();
    });
    answerCall(request, response).catch((error: unknown) => {
      // After an aborted upload there is nobody left to answer.
      if (!response.closed && !request.destroyed) console.error("The local gateway failed:", error);
      response.destroy();
    });
  });
  server.keepAliveTimeout = 65_000;
  server.on("clientError", (error: NodeJS.ErrnoException & { rawPacket?: Buffer }, socket: Socket) => {
    if (error.code === "ECONNRESET" || !socket.writable) return void socket.destroy();
    const isHead = error.rawPacket?.subarray(0, 5).toString("latin1") === "HEAD ";
    socket.end(answerToNoHttp(render, isHead));
  });
  const port = await listen(server, options.port, options.host ?? "127.0.0.1");
  return { url: `http://127.0.0.1:${port}`, port, close: (graceMs) => close(server, graceMs) };
}

/** What cannot be read as a request is refused like one that can: same shape, same words. */
function answerToNoHttp(render: RenderRefusal, isHead: boolean): string {
  const call: GatewayCall = {
    requestId: randomUUID(),
    httpMethod: "",
    path: "",
    query: new URLSearchParams(),
    headers: {},
    multiValueHeaders: {},
    sourceIp: "",
    receivedAt: Date.now(),
  };
  const { status, headers, body } = render(new Refusal("BAD_REQUEST_PARAMETERS", "Bad Request"), call);
  const lines = Object.entries({
    ...headers,
    "x-amzn-requestid": call.requestId,
    connection: "close",
    "content-length": Buffer.byteLength(body),
  }).map(([name, value]) => `${name}: ${String(value)}`);
  return [`HTTP/1.1 ${status} Bad Request`, ...lines, "", isHead ? "" : body].join("\r\n");
}

/** What happens to every request, in API Gateway's order. */
function pipeline({ facts, region, invoke }: GatewayOptions) {
  const find = router(facts.methods);
  const render = gatewayResponses(facts.gatewayResponses);
  const authorize = authorizer(invoke);
  const mayPass = facts.throttle && throttle(facts.throttle);
  const { id: apiId, stage } = facts;

  const check = async (call: GatewayCall, match: Match): Promise<Authorization | undefined> => {
    const { method } = match;
    const methodArn = `arn:aws:execute-api:${region}:${localAccountId}:${apiId}/${stage}/${call.httpMethod}${call.path}`;
    const authorization =
      method.authorizer && (await authorize(method.authorizer, { call, match, apiId, stage, methodArn }));
    if (!method.apiKeyRequired) return authorization;
    const key = authorization?.usageIdentifierKey;
    if (key === undefined) throw new Refusal("INVALID_API_KEY", "Forbidden");
    if (mayPass !== undefined && !mayPass(key, performance.now()))
      throw new Refusal("THROTTLED", "Too Many Requests");
    return authorization;
  };

  const answer = async (call: GatewayCall, request: IncomingMessage): Promise<GatewayAnswer> => {
    const match = find(call.httpMethod, call.path);
    if (match === undefined)
      throw new Refusal("MISSING_AUTHENTICATION_TOKEN", "Missing Authentication Token");
    const authorization = await check(call, match);
    const body = await readBody(request);
    const isBase64Encoded = body.length > 0 && isBinary(facts, headerOf(call, "content-type") ?? "");
    const event = JSON.stringify(
      proxyEvent({
        call,
        match,
        apiId,
        stage,
        authorizer: authorization?.context,
        usageIdentifierKey: authorization?.usageIdentifierKey,
        body: body.length === 0 ? null : body.toString(isBase64Encoded ? "base64" : "utf8"),
        isBase64Encoded,
      }),
    );
    const result = await within(match.method.timeoutMs, invoke(match.method.functionArn, event));
    return proxyAnswer(result, () => isBinary(facts, headerOf(call, "accept") ?? ""));
  };

  return async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    let call: GatewayCall;
    let malformed = false;
    try {
      call = readCall(request);
    } catch {
      malformed = true;
      request.url = "/";
      call = readCall(request);
    }
    try {
      if (malformed || request.headers.host === undefined) throw new URIError();
      send(response, call, await answer(call, request));
    } catch (error) {
      const refusal = refusalOf(error);
      if (refusal === undefined) throw error;
      send(response, call, render(refusal, call));
    }
  };
}

function refusalOf(error: unknown): Refusal | undefined {
  if (error instanceof Refusal) return error;
  if (error instanceof URIError) return new Refusal("BAD_REQUEST_PARAMETERS", "Bad Request");
  if (!(error instanceof FunctionError)) return undefined;
  return error.errorType === "RequestTooLarge"
    ? new Refusal("REQUEST_TOO_LARGE", "Request Too Long")
    : new Refusal("INTEGRATION_FAILURE", "Internal server error");
}

function send(response: ServerResponse, call: GatewayCall, { status, headers, body }: GatewayAnswer): void {
  for (const [name, value] of Object.entries(headers))
    response.setHeader(name, typeof value === "string" ? value : [...value]);
  response.setHeader("x-amzn-requestid", call.requestId);
  const hasNoBody = status === 204 || status === 304;
  if (!hasNoBody) response.setHeader("content-length", Buffer.byteLength(body));
  response.writeHead(status);
  response.end(hasNoBody || call.httpMethod === "HEAD" ? undefined : body);
}

async function readBody(request: IncomingMessage): Promise<Buffer> {
  const tooLarge = () => new Refusal("REQUEST_TOO_LARGE", "Request Too Long");
  if (Number(request.headers["content-length"] ?? 0) > maxBodyBytes) throw tooLarge();
  if (request.complete && request.readableLength === 0) return Buffer.alloc(0);
  const chunks: Buffer[] = [];
  let bytes = 0;
  return new Promise((resolve, reject) => {
    request.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes <= maxBodyBytes) chunks.push(chunk);
      // The rest is read and thrown away: a caller who is still sending would not see the answer otherwise.
      else reject(tooLarge());
    });
    request.on("end", () => resolve(Buffer.concat(chunks)));
    request.on("error", reject);
    request.on("close", () => reject(new Error("The caller hung up.")));
  });
}

function isBinary({ binaryMediaTypes }: ApiFacts, contentType: string): boolean {
  if (binaryMediaTypes.length === 0) return false;
  const plain = contentType.split(";")[0]?.trim().toLowerCase();
  return binaryMediaTypes.some((type) => type === "*/*" || type === plain);
}

async function within<Result>(ms: number, work: Promise<Result>): Promise<Result> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Refusal("INTEGRATION_TIMEOUT", "Endpoint request timed out")), ms);
  });
  // The function goes on after a time-out, as on AWS; whatever becomes of it then is nobody's concern.
  work.catch(() => {});
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
}

export const portIsTaken = (port: number) =>
  new Error(`Port ${port} is taken. Choose another: PORT=3001 npm start, or PORT=0 for a free one.`);

function listen(server: Server, port: number, host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) =>
      reject(error.code === "EADDRINUSE" ? portIsTaken(port) : error),
    );
    server.listen({ port, host, backlog: 2_048 }, () => resolve((server.address() as AddressInfo).port));
  });
}

async function close(server: Server, graceMs: number): Promise<void> {
  const closed = new Promise((resolve) => server.close(resolve));
  server.closeIdleConnections();
  const timer = setTimeout(() => server.closeAllConnections(), graceMs);
  await closed;
  clearTimeout(timer);
}
