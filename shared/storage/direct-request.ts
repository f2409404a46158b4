import type { AttributeValue } from "@aws-sdk/client-dynamodb";
import { Pool } from "undici";
import { dynamoDb } from "./client.ts";
import { signedHeaders } from "./signature.ts";

/*
 * One request of DynamoDB's JSON protocol without the SDK's layers, for jobs that make half a million of them: the
 * document client takes 0.9 ms of a core for an UpdateItem of a cell and 1.5 ms for a BatchWriteItem of 25. By undici,
 * whose `dispatch` takes a third of what Node's own client takes for a request (30 and 90 microseconds of a core, 64 in
 * flight, Node 20). Region, endpoint and credentials are the SDK client's own.
 */

const connectTimeoutMs = 2_000;
/** To the answer's head by default, and from one piece of its body to the next. */
const usualTimeoutMs = 3_000;
const connections = 64;

/** Each with what a success tells, of an update that is asked for its new item. */
const successes = { UpdateItem: "Attributes", BatchWriteItem: "UnprocessedItems" } as const;
export type DirectOperation = keyof typeof successes;

/** An item or values as DynamoDB's JSON has them. */
export type DirectItem = Readonly<Record<string, AttributeValue>>;

/** Marshals what these requests hold; the document client's marshaller takes longer than everything else together. */
export const directItem = (
  values: Readonly<Record<string, string | number | readonly string[]>>,
): DirectItem =>
  Object.fromEntries(Object.entries(values).map(([name, value]) => [name, attributeValue(value)]));

const attributeValue = (value: string | number | readonly string[]): AttributeValue => {
  if (typeof value === "string") return { S: value };
  if (typeof value === "number") return { N: String(value) };
  return { L: value.map((text) => ({ S: text })) };
};

/** What DynamoDB's JSON says, of a success or of an error. */
export interface DirectBody {
  readonly __type?: string;
  readonly message?: string;
  readonly Message?: string;
  readonly Item?: DirectItem;
  readonly Attributes?: DirectItem;
  readonly UnprocessedItems?: Readonly<Record<string, readonly unknown[]>>;
  readonly ConsumedCapacity?: Capacity | readonly Capacity[];
}

interface Capacity {
  readonly CapacityUnits?: number;
}

/** An answer that is no success. Its name is the exception's, as the SDK has it. */
export class DirectError extends Error {
  readonly status: number;
  readonly body: DirectBody;

  constructor(status: number, body: DirectBody) {
    super(body.message ?? body.Message ?? `DynamoDB answered ${status}`);
    this.name = body.__type?.split("#").at(-1) || "Error";
    this.status = status;
    this.body = body;
  }
}

/** Sends it once. Throws a DirectError for an answer that is no success, and what the network throws. */
export const directRequest = async (
  operation: DirectOperation,
  input: Readonly<Record<string, unknown>>,
  { timeoutMs = usualTimeoutMs }: { readonly timeoutMs?: number } = {},
): Promise<DirectBody> => {
  const isObserved = observers.size > 0;
  const payload = JSON.stringify(isObserved ? { ...input, ReturnConsumedCapacity: "TOTAL" } : input);
  const { status, body } = await post(operation, payload, timeoutMs);
  for (const observe of observers) observe({ operation, input, status, body });
  if (status !== 200) throw new DirectError(status, body);
  return body;
};

interface Answer {
  readonly status: number;
  readonly body: DirectBody;
}

const post = async (operation: DirectOperation, payload: string, timeoutMs: number): Promise<Answer> => {
  const [endpoint, region, credentials] = await Promise.all([
    endpointUrl(),
    dynamoDb.config.region(),
    dynamoDb.config.credentials(),
  ]);
  // As the SDK signs: by the server's clock, once an answer has told that this machine's is off.
  const now = new Date(Date.now() + dynamoDb.config.systemClockOffset);
  const headers = signedHeaders({ endpoint, region, credentials, operation, payload, now });
  const timeouts = { headersTimeout: timeoutMs, bodyTimeout: usualTimeoutMs };
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let status = 0;
    poolTo(endpoint.origin).dispatch(
      { method: "POST", path: "/", headers, body: payload, ...timeouts },
      {
        // undici takes a handler without it for one of its old kind.
        onRequestStart: () => undefined,
        onResponseStart: (_, statusCode) => {
          status = statusCode;
        },
        onResponseData: (_, chunk) => {
          chunks.push(chunk);
        },
        onResponseEnd: () => {
          try {
            const text = Buffer.concat(chunks).toString("utf8");
            resolve({ status, body: status === 200 ? successOf(operation, text) : errorOf(status, text) });
          } catch (error) {
            reject(error);
          }
        },
        onResponseError: (_, error) => reject(error),
      },
    );
  });
};

/** Throws a SyntaxError for a success that is none of DynamoDB's: half of one, or a broken proxy's. */
const successOf = (operation: DirectOperation, text: string): DirectBody => {
  const body = JSON.parse(text);
  if (body?.[successes[operation]] === undefined)
    throw new SyntaxError(`no answer to ${operation}: ${excerpt(text)}`);
  return body;
};

/** What refuses a request need not be DynamoDB, nor answer JSON. */
const errorOf = (status: number, text: string): DirectBody => {
  try {
    return { ...JSON.parse(text) };
  } catch {
    return { message: `${status}: ${excerpt(text)}` };
  }
};

const excerpt = (text: string): string => text.slice(0, 200);

let pool: { readonly origin: string; readonly pool: Pool } | undefined;

const poolTo = (origin: string): Pool => {
  if (pool?.origin !== origin)
    pool = { origin, pool: new Pool(origin, { connections, connect: { timeout: connectTimeoutMs } }) };
  return pool.pool;
};

let endpoint: Promise<URL> | undefined;

/** The endpoint that the environment names, else the region's. A shared config file is not looked at for one. */
const endpointUrl = (): Promise<URL> => {
  endpoint ??= (async () => {
    const named = process.env.AWS_ENDPOINT_URL_DYNAMODB || process.env.AWS_ENDPOINT_URL;
    if (named) return new URL(named);
    const { config } = dynamoDb;
    return config.endpointProvider({
      Region: await config.region(),
      UseFIPS: await config.useFipsEndpoint(),
      UseDualStack: await config.useDualstackEndpoint(),
    }).url;
  })();
  return endpoint;
};

const passingExceptions = new Set([
  "InternalServerError",
  "LimitExceededException",
  "ProvisionedThroughputExceededException",
  "RequestLimitExceeded",
  "ServiceUnavailable",
  "Throttling",
  "ThrottlingException",
]);
/** Of these, nothing was sent. */
const connectionErrors = new Set([
  "EAI_AGAIN",
  "ECONNREFUSED",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ENOTFOUND",
  "UND_ERR_CONNECT_TIMEOUT",
]);
const networkErrors = new Set([
  ...connectionErrors,
  "ECONNRESET",
  "EPIPE",
  "ETIMEDOUT",
  "UND_ERR_BODY_TIMEOUT",
  "UND_ERR_HEADERS_TIMEOUT",
  "UND_ERR_RES_CONTENT_LENGTH_MISMATCH",
  "UND_ERR_SOCKET",
]);

const codeOf = (error: Error): string => (error as { code?: string }).code ?? "";

/** Throttling, faults of the service and of the network: the same request may succeed a moment later. */
export const passes = (error: Error): boolean => {
  if (error instanceof DirectError) return error.status >= 500 || passingExceptions.has(error.name);
  // A success that is none, or something else than HTTP.
  if (error instanceof SyntaxError || error.name === "HTTPParserError") return true;
  return networkErrors.has(codeOf(error));
};

/** Whether the request that failed so may have been carried out, or may yet be. */
export const mayTakeEffect = (error: Error): boolean =>
  error instanceof DirectError ? error.status >= 500 : !connectionErrors.has(codeOf(error));

/** A request that was answered, by a success or not. */
export interface AnsweredRequest extends Answer {
  readonly operation: DirectOperation;
  readonly input: Readonly<Record<string, unknown>>;
}

const observers = new Set<(request: AnsweredRequest) => void>();

/**
 * For measurements: tells of each request that is answered from now on, with the capacity that it consumed. What
 * `observe` throws becomes the request's error. Answers how to stop it.
 */
export const observeDirectRequests = (observe: (request: AnsweredRequest) => void): (() => void) => {
  observers.add(observe);
  return () => observers.delete(observe);
};
