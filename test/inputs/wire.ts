import { Agent, type IncomingHttpHeaders, request as send } from "node:http";
import { connect } from "node:net";

/** A request as it goes over the wire: nothing is corrected, encoded or left out on its way. */
export interface WireRequest {
  readonly method: string;
  /** With the query, as it is sent. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  readonly body?: string | Uint8Array;
}

export interface WireAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

// An idle connection is given up before the server gives it up: both at once would be a reset without a cause.
const agent = new Agent({ keepAlive: true, maxSockets: 32, timeout: 30_000 });

/** Sends a request. Other than `fetch`, it leaves `..` in a path, sends a header twice and puts a body on a GET. */
export const sendOverWire = (
  apiUrl: string,
  { method, path, headers = {}, body }: WireRequest,
): Promise<WireAnswer> =>
  new Promise((resolve, reject) => {
    const { hostname, port } = new URL(apiUrl);
    const length = body === undefined ? {} : { "Content-Length": String(Buffer.byteLength(body)) };
    const request = send(
      { hostname, port, method, path, agent, headers: { ...length, ...copied(headers) } },
      (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("error", reject);
        response.on("end", () =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            text: Buffer.concat(chunks).toString("utf8"),
          }),
        );
      },
    );
    request.on("error", reject);
    request.end(body);
  });

const copied = (headers: Readonly<Record<string, string | readonly string[]>>) =>
  Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, typeof value === "string" ? value : [...value]]),
  );

/**
 * Sends bytes as they are and answers all that comes back until the server hangs up. Hangs up itself behind the bytes,
 * which ends a request that is not complete, unless it is to wait for the answer to one that is.
 */
export const sendRawBytes = (
  apiUrl: string,
  bytes: string | Uint8Array,
  { waits = false }: { readonly waits?: boolean } = {},
): Promise<string> =>
  new Promise((resolve, reject) => {
    const { hostname, port } = new URL(apiUrl);
    const socket = connect(Number(port), hostname);
    const chunks: Buffer[] = [];
    socket.on("data", (chunk) => chunks.push(chunk));
    // A server that hangs up on garbage while more of it arrives resets the connection.
    socket.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code !== "ECONNRESET" && error.code !== "EPIPE") reject(error);
    });
    socket.on("close", () => resolve(Buffer.concat(chunks).toString("latin1")));
    if (waits) socket.write(bytes);
    else socket.end(bytes);
  });
