import { setTimeout as sleep } from "node:timers/promises";
import type { AttributeValue } from "@aws-sdk/client-dynamodb";
import { AdaptiveConcurrency } from "./adaptive-concurrency.ts";
import { type DirectAnswer, directRequest } from "./direct-request.ts";

/** An item or values as DynamoDB's JSON has them; numbers, strings, lists and nulls are all that these writes need. */
export type DirectItem = Readonly<Record<string, AttributeValue>>;

/** What became of a conditional write: the item after it, or the one that refused it. */
export interface DirectOutcome {
  readonly done: boolean;
  readonly item: DirectItem | undefined;
  /** It was sent more than once, so what refused it may be what its own first try did. */
  readonly again: boolean;
}

export interface ObservedWrite {
  readonly done: boolean;
  /** As reported; of a refused write none are. */
  readonly writeUnits: number;
  /** What was written, or what refused it. */
  readonly item: DirectItem | undefined;
  readonly input: Readonly<Record<string, unknown>>;
}

/** For measurements: told of each write that was answered. */
export interface DirectObserver {
  readonly onWrite?: (write: ObservedWrite) => void;
}

const firstPauseMs = 25;
const longestPauseMs = 5_000;
/** A table that takes nothing for so long is not busy, it is out of order. */
const patienceMs = 120_000;

const concurrency = new AdaptiveConcurrency();
const waiting: (() => void)[] = [];
let inFlight = 0;

const enter = async (): Promise<void> => {
  while (inFlight >= concurrency.limit) await new Promise<void>((resolve) => waiting.push(resolve));
  inFlight += 1;
};

const leave = (): void => {
  inFlight -= 1;
  for (let free = concurrency.limit - inFlight; free > 0 && waiting.length > 0; free--) waiting.shift()?.();
};

/**
 * Makes a conditional write, with as many others in flight as DynamoDB takes without trouble. Throttling, faults of
 * the service and lost answers are tried again, so the write must be one that does no harm when it is done twice.
 */
export const directWrite = async (
  operation: "PutItem" | "UpdateItem",
  input: Readonly<Record<string, unknown>>,
  { onWrite }: DirectObserver = {},
): Promise<DirectOutcome> => {
  const payload = JSON.stringify({
    ...input,
    ReturnValuesOnConditionCheckFailure: "ALL_OLD",
    ...(onWrite && { ReturnConsumedCapacity: "TOTAL" }),
  });
  const begun = performance.now();
  for (let tries = 1; ; tries++) {
    const outcome = await attempt(operation, payload);
    if (outcome.kind === "answered") {
      const { done, item, writeUnits } = outcome;
      onWrite?.({ done, writeUnits, item, input });
      return { done, item, again: tries > 1 };
    }
    if (performance.now() - begun > patienceMs) throw outcome.error;
    // Full jitter: aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter
    await sleep(Math.random() * Math.min(longestPauseMs, firstPauseMs * 2 ** tries));
  }
};

type Attempt =
  | {
      readonly kind: "answered";
      readonly done: boolean;
      readonly item: DirectItem | undefined;
      readonly writeUnits: number;
    }
  | { readonly kind: "again"; readonly error: Error };

const attempt = async (operation: "PutItem" | "UpdateItem", payload: string): Promise<Attempt> => {
  await enter();
  const begun = performance.now();
  try {
    const answer = await directRequest(operation, payload);
    const meaning = meaningOf(answer);
    const now = performance.now();
    if (meaning.kind === "again") concurrency.throttled(now);
    else concurrency.succeeded(now - begun, now);
    return meaning;
  } catch (error) {
    if (!(error instanceof Error && isOfTheNetwork(error))) throw error;
    concurrency.throttled(performance.now());
    return { kind: "again", error };
  } finally {
    leave();
  }
};

const passingErrors =
  /(?:Throttling|ThrottlingException|ProvisionedThroughputExceededException|RequestLimitExceeded|LimitExceededException|InternalServerError|ServiceUnavailable)$/;

const meaningOf = ({ status, body }: DirectAnswer): Attempt => {
  const { __type, message, Message, Item, Attributes, ConsumedCapacity } = body as {
    readonly __type?: string;
    readonly message?: string;
    readonly Message?: string;
    readonly Item?: DirectItem;
    readonly Attributes?: DirectItem;
    readonly ConsumedCapacity?: { readonly CapacityUnits?: number };
  };
  if (status === 200)
    return {
      kind: "answered",
      done: true,
      item: Attributes,
      writeUnits: ConsumedCapacity?.CapacityUnits ?? 0,
    };
  const type = __type?.split("#").at(-1) ?? "";
  if (type === "ConditionalCheckFailedException")
    return { kind: "answered", done: false, item: Item, writeUnits: 0 };
  const error = Object.assign(new Error(message ?? Message ?? `DynamoDB answered ${status}`), {
    name: type || "Error",
  });
  if (status >= 500 || passingErrors.test(type)) return { kind: "again", error };
  throw error;
};

const networkErrors = new Set([
  "ECONNREFUSED",
  "ECONNRESET",
  "EPIPE",
  "ETIMEDOUT",
  "EAI_AGAIN",
  "UND_ERR_BODY_TIMEOUT",
  "UND_ERR_CONNECT_TIMEOUT",
  "UND_ERR_HEADERS_TIMEOUT",
  "UND_ERR_RES_CONTENT_LENGTH_MISMATCH",
  "UND_ERR_SOCKET",
]);

const isOfTheNetwork = (error: Error): boolean =>
  // Half an answer, or one of a broken proxy: no JSON, or no HTTP.
  error instanceof SyntaxError ||
  error.name === "HTTPParserError" ||
  networkErrors.has((error as { code?: string }).code ?? "");
