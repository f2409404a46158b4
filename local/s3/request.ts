import { randomBytes } from "node:crypto";
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from "node:http";
import { S3Error } from "./errors.ts";

/** One call, its URL taken apart in path style: `/bucket/key?query`. */
export interface S3Request {
  readonly id: string;
  readonly method: string;
  /** As it was sent, without the query. */
  readonly path: string;
  readonly bucket: string | undefined;
  readonly key: string | undefined;
  readonly query: Query;
  readonly headers: IncomingHttpHeaders;
  readonly sourceAddress: string;

  /** The bytes as they arrive. Invites a sender who asked with `Expect: 100-continue`. */
  body(): AsyncIterable<Buffer>;
  /** For a parser that needs the stream itself. */
  stream(): IncomingMessage;
}

/** Reads method, URL and headers; the body is left alone until someone asks for it. */
export function readRequest(
  incoming: IncomingMessage,
  response: ServerResponse,
  awaitsContinue: boolean,
): S3Request {
  const [path, query] = splitOnce((incoming.url ?? "/").replace(/^https?:\/\/[^/]*/i, ""), "?");
  const [bucket, key] = splitOnce(decode(path).replace(/^\//, ""), "/");

  let invited = !awaitsContinue;
  const stream = () => {
    if (!invited) response.writeContinue();
    invited = true;
    return incoming;
  };

  return {
    id: randomBytes(8).toString("hex").toUpperCase(),
    method: incoming.method ?? "GET",
    path,
    bucket: bucket || undefined,
    key: key || undefined,
    query: new Query(query),
    headers: incoming.headers,
    sourceAddress: incoming.socket.remoteAddress ?? "127.0.0.1",
    stream,
    // The connection has to outlive a body that is refused half way: the answer is still to be sent on it.
    body: () => stream().iterator({ destroyOnReturn: false }),
  };
}

/** A header that is sent once; several of the same name arrive joined. */
export function headerOf(request: S3Request, name: string): string | undefined {
  const value = request.headers[name];
  return Array.isArray(value) ? value.join(",") : value;
}

/** The decoded query. */
export class Query {
  readonly #values = new Map<string, string[]>();

  constructor(raw: string) {
    for (const pair of raw.split("&")) {
      if (pair === "") continue;
      const [name, value] = splitOnce(pair.replaceAll("+", "%20"), "=");
      const decodedName = decode(name);
      this.#values.set(decodedName, [...(this.#values.get(decodedName) ?? []), decode(value)]);
    }
  }

  has(name: string): boolean {
    return this.#values.has(name);
  }

  get(name: string): string | undefined {
    return this.#values.get(name)?.[0];
  }

  names(): Iterable<string> {
    return this.#values.keys();
  }

  /** As @smithy/signature-v4 wants it. */
  toBag(): Record<string, string[]> {
    return Object.fromEntries(this.#values);
  }
}

/** A whole number within its bounds, or nothing. */
export function integerOf(
  text: string | undefined,
  name: string,
  least: number,
  most: number,
): number | undefined {
  if (text === undefined) return undefined;
  const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= least && value <= most)) {
    throw new S3Error(
      "InvalidArgument",
      `${name} must be an integer between ${least} and ${most}, inclusive`,
      {
        ArgumentName: name,
        ArgumentValue: text,
      },
    );
  }
  return value;
}

function splitOnce(text: string, separator: string): [string, string] {
  const at = text.indexOf(separator);
  return at === -1 ? [text, ""] : [text.slice(0, at), text.slice(at + separator.length)];
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new S3Error("InvalidURI");
  }
}
