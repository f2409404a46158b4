import { randomUUID } from "node:crypto";
import type { IncomingMessage } from "node:http";

/** A request as the gateway sees it, before it knows whom it is for. */
export interface GatewayCall {
  readonly requestId: string;
  readonly httpMethod: string;
  /** As sent: still percent-encoded. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: Readonly<Record<string, string>>;
  readonly multiValueHeaders: Readonly<Record<string, readonly string[]>>;
  readonly sourceIp: string;
  readonly receivedAt: number;
}

/** Headers that concern one connection and go no further. */
const hopByHop = new Set(["connection", "keep-alive", "transfer-encoding", "upgrade", "te", "expect"]);

/** Reads method, address and headers of a request; throws a URIError for a broken percent-encoding. */
export function readCall(request: IncomingMessage): GatewayCall {
  const url = request.url ?? "/";
  const mark = url.indexOf("?");
  const query = mark === -1 ? "" : url.slice(mark + 1);
  if (query.includes("%")) decodeURIComponent(query);

  const headers: Record<string, string> = {};
  const multiValueHeaders: Record<string, string[]> = {};
  const spelling = new Map<string, string>();
  const add = (name: string, value: string) => {
    // The first spelling names the header, as in `X-API-KEY`; a later one of the same header joins it.
    const known = spelling.get(name.toLowerCase()) ?? name;
    spelling.set(name.toLowerCase(), known);
    headers[known] = value;
    const values = multiValueHeaders[known] ?? [];
    multiValueHeaders[known] = values;
    values.push(value);
  };
  for (let index = 0; index + 1 < request.rawHeaders.length; index += 2) {
    const name = request.rawHeaders[index] ?? "";
    if (!hopByHop.has(name.toLowerCase())) add(name, request.rawHeaders[index + 1] ?? "");
  }
  const sourceIp = request.socket.remoteAddress ?? "127.0.0.1";
  add("X-Forwarded-For", sourceIp);
  add("X-Forwarded-Port", String(request.socket.localPort ?? ""));
  add("X-Forwarded-Proto", "http");

  return {
    requestId: randomUUID(),
    httpMethod: request.method ?? "GET",
    path: mark === -1 ? url : url.slice(0, mark),
    query: new URLSearchParams(query),
    headers,
    multiValueHeaders,
    sourceIp,
    receivedAt: Date.now(),
  };
}

/** The value of a header, whatever its spelling. */
export function headerOf(call: GatewayCall, name: string): string | undefined {
  for (const [spelled, value] of Object.entries(call.headers))
    if (spelled.toLowerCase() === name) return value;
  return undefined;
}

/** All values of a header, in the order in which they were sent. */
export function headerValuesOf(call: GatewayCall, name: string): readonly string[] {
  for (const [spelled, values] of Object.entries(call.multiValueHeaders))
    if (spelled.toLowerCase() === name) return values;
  return [];
}
