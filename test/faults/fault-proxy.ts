import {
  Agent,
  createServer,
  request as httpRequest,
  type IncomingMessage,
  type ServerResponse,
} from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { Injection } from "./fault.ts";

/** A request on its way to an engine. */
export interface WireRequest {
  readonly service: "dynamodb" | "streams" | "sqs" | "s3";
  /** `UpdateItem`, `SendMessage`, …; for S3 the HTTP method. */
  readonly operation: string;
  readonly method: string;
  /** With its query. */
  readonly path: string;
  readonly headers: IncomingMessage["headers"];
  readonly body: Buffer;
}

export interface WireAnswer {
  readonly status: number;
  /** Name, value, name, value, as they came. */
  readonly rawHeaders: readonly string[];
  readonly body: Buffer;
}

/** A request that a fault was chosen for, and what can be done with it. */
export interface Exchange {
  readonly request: WireRequest;
  /** Has the engine carry it out, perhaps with another body. Nothing is answered yet. */
  carryOut(body?: Buffer): Promise<WireAnswer>;
  answer(answer: WireAnswer): void;
  /** Begins an answer and sends so much of its body; the rest never comes, but for what `more` sends. */
  beginAnswer(answer: WireAnswer, bytes: number): void;
  /** Sends more of a body that was begun. */
  more(bytes: Buffer): void;
  /** All of it was sent. */
  end(): void;
  /** Ends the connection as if all were said (TCP FIN). */
  hangUp(): void;
  /** Breaks the connection off (TCP reset). */
  reset(): void;
  /** From now on nothing comes through any more, for ever: the process on this wire is dead. */
  crash(): void;
}

/** What a fault does with a request instead of passing it on. */
export type WireFault = (exchange: Exchange) => Promise<void> | void;

export interface When {
  /** Requests that the fault is about. @default all */
  readonly matches?: (request: WireRequest) => boolean;
  /** Of those, how many pass first. @default 0 */
  readonly after?: number;
  /** How often it happens at most. @default without end */
  readonly times?: number;
  /** Share of the rest that it happens to, drawn with `seed`. @default 1 */
  readonly share?: number;
  readonly seed?: number;
}

/** A wire between the code and an engine, or S3, or a queue, on which things go wrong as they are told to. */
export interface FaultProxy {
  /** Give this to the code in place of the engine's. */
  readonly endpoint: string;
  /** Lets the fault happen from now on. Of several that fit a request, the first one injected happens. */
  inject(fault: WireFault, when?: When): Injection;
  /** How many requests of the kind came by so far, faulted or not. */
  seen(matches: (request: WireRequest) => boolean): number;
  /** From now on nothing comes through any more, for ever: the process on this wire is dead. */
  crash(): void;
  /** How many connections the client broke off while it waited for an answer. */
  givenUp(): number;
  /** Resolves when a crash has happened. */
  readonly crashed: Promise<void>;
  close(): Promise<void>;
}

interface Rule {
  readonly fault: WireFault;
  readonly matches: (request: WireRequest) => boolean;
  readonly chooses: () => boolean;
}

/**
 * Passes requests on to `upstream`, a URL of this machine, as they are: the Host header stays, so that signatures
 * hold. Bodies are held in memory.
 */
export const startFaultProxy = async (upstream: string): Promise<FaultProxy> => {
  const { hostname, port } = new URL(upstream);
  const agent = new Agent({ keepAlive: true });
  const sockets = new Set<Socket>();
  const rules = new Set<Rule>();
  const seen: WireRequest[] = [];
  let dead = false;
  let givenUp = 0;
  let tellCrash = () => {};
  const crashed = new Promise<void>((resolve) => {
    tellCrash = resolve;
  });

  /** Those that this side ended. */
  const brokenOff = new WeakSet<Socket>();
  const breakOff = (socket: Socket) => {
    brokenOff.add(socket);
    socket.resetAndDestroy();
  };

  const crash = () => {
    dead = true;
    for (const socket of sockets) breakOff(socket);
    tellCrash();
  };

  const carryOut = (request: WireRequest, incoming: IncomingMessage, body: Buffer) =>
    new Promise<WireAnswer>((resolve, reject) => {
      const headers = forwardedHeaders(incoming.rawHeaders, body.length);
      const { method, path } = request;
      const outgoing = httpRequest({ agent, host: hostname, port, method, path, headers }, (response) => {
        bodyOf(response).then(
          (answerBody) =>
            resolve({
              status: response.statusCode ?? 0,
              rawHeaders: response.rawHeaders,
              body: answerBody,
            }),
          reject,
        );
      });
      outgoing.on("error", reject);
      outgoing.end(body);
    });

  const serve = async (incoming: IncomingMessage, outgoing: ServerResponse) => {
    const body = await bodyOf(incoming);
    outgoing.on("close", () => {
      if (!outgoing.writableFinished && !brokenOff.has(incoming.socket)) givenUp += 1;
    });
    const request = wireRequestOf(incoming, body);
    seen.push(request);
    const reset = () => breakOff(incoming.socket);
    if (dead) return reset();
    const exchange: Exchange = {
      request,
      carryOut: (instead = body) => carryOut(request, incoming, instead),
      answer: (answer) => {
        outgoing.writeHead(answer.status, answeredHeaders(answer, request));
        outgoing.end(request.method === "HEAD" ? undefined : answer.body);
      },
      beginAnswer: (answer, bytes) => {
        outgoing.writeHead(answer.status, answeredHeaders(answer, request));
        outgoing.write(answer.body.subarray(0, bytes));
      },
      more: (bytes) => void outgoing.write(bytes),
      end: () => void outgoing.end(),
      hangUp: () => void outgoing.socket?.end(),
      reset,
      crash,
    };
    const rule = [...rules].find(({ matches, chooses }) => matches(request) && chooses());
    if (rule) await rule.fault(exchange);
    else exchange.answer(await exchange.carryOut());
  };

  const server = createServer({ keepAliveTimeout: 60_000 }, (incoming, outgoing) => {
    // The engine is gone, or the caller: the connection tells it as it would without a proxy in between.
    serve(incoming, outgoing).catch(() => breakOff(incoming.socket));
  });
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => {});
    if (dead) breakOff(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));

  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    crash,
    crashed,
    givenUp: () => givenUp,
    seen: (matches) => seen.filter(matches).length,
    inject: (
      fault,
      { matches = () => true, after = 0, times = Number.POSITIVE_INFINITY, share = 1, seed = 1 } = {},
    ) => {
      const random = seeded(seed);
      let matched = 0;
      let injected = 0;
      const chooses = () => {
        matched += 1;
        if (matched <= after || injected >= times || random() >= share) return false;
        injected += 1;
        return true;
      };
      const rule = { fault, matches, chooses };
      rules.add(rule);
      return {
        get injected() {
          return injected;
        },
        stop: () => void rules.delete(rule),
      };
    },
    close: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const socket of sockets) breakOff(socket);
      agent.destroy();
      await closed;
    },
  };
};

const bodyOf = async (message: IncomingMessage): Promise<Buffer> => {
  const chunks: Buffer[] = [];
  for await (const chunk of message) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
};

const wireRequestOf = (incoming: IncomingMessage, body: Buffer): WireRequest => {
  const { method = "", url = "", headers } = incoming;
  const [prefix, operation] = String(headers["x-amz-target"] ?? "").split(".");
  const service = prefix?.startsWith("DynamoDBStreams")
    ? "streams"
    : prefix?.startsWith("DynamoDB")
      ? "dynamodb"
      : prefix?.startsWith("AmazonSQS")
        ? "sqs"
        : "s3";
  return { service, operation: operation ?? method, method, path: url, headers, body };
};

/** Those of this hop alone; `expect` was answered here, and a body that was sent in chunks is whole now. */
const ofThisHop = new Set(["connection", "expect", "keep-alive", "transfer-encoding", "content-length"]);

const pairsOf = (rawHeaders: readonly string[]): readonly (readonly [string, string])[] =>
  Array.from({ length: rawHeaders.length / 2 }, (_, at) => [rawHeaders[at * 2]!, rawHeaders[at * 2 + 1]!]);

const forwardedHeaders = (rawHeaders: readonly string[], bytes: number): string[] => [
  ...pairsOf(rawHeaders)
    .filter(([name]) => !ofThisHop.has(name.toLowerCase()))
    .flat(),
  ...(bytes > 0 || rawHeaders.some((name) => name.toLowerCase() === "content-length")
    ? ["Content-Length", String(bytes)]
    : []),
];

/** The length of what was to be sent, also where less of it is; that of a HEAD is the engine's own. */
const answeredHeaders = ({ status, rawHeaders, body }: WireAnswer, { method }: WireRequest): string[] => {
  const pairs = pairsOf(rawHeaders);
  const kept = pairs.filter(([name]) => !ofThisHop.has(name.toLowerCase())).flat();
  if (method === "HEAD")
    return [...kept, ...pairs.filter(([name]) => name.toLowerCase() === "content-length").flat()];
  return status === 204 || status === 304 ? kept : [...kept, "Content-Length", String(body.length)];
};

/** Uniform in [0, 1), the same for the same seed (mulberry32). */
const seeded = (seed: number) => {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
};
