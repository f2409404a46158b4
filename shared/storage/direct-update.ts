import { setTimeout as sleep } from "node:timers/promises";
import { AdaptiveConcurrency } from "./adaptive-concurrency.ts";
import { DirectError, type DirectItem, directRequest, passes } from "./direct-request.ts";

/** What became of a conditional update: the item after it, or the one that refused it. */
export interface DirectOutcome {
  readonly done: boolean;
  readonly item: DirectItem | undefined;
  /** It was sent more than once, so what refused it may be what its own first try did. */
  readonly again: boolean;
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
 * Makes a conditional update, with as many others in flight as DynamoDB takes without trouble. Throttling, faults of
 * the service and lost answers are tried again, so it must be one that does no harm when it is done twice.
 */
export const directUpdate = async (input: Readonly<Record<string, unknown>>): Promise<DirectOutcome> => {
  const telling = { ...input, ReturnValues: "ALL_NEW", ReturnValuesOnConditionCheckFailure: "ALL_OLD" };
  const begun = performance.now();
  for (let tries = 1; ; tries++) {
    try {
      return { ...(await attempt(telling)), again: tries > 1 };
    } catch (error) {
      if (!(error instanceof Error && passes(error))) throw error;
      if (performance.now() - begun > patienceMs) throw error;
    }
    // Full jitter: aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter
    await sleep(Math.random() * Math.min(longestPauseMs, firstPauseMs * 2 ** tries));
  }
};

const attempt = async (input: Readonly<Record<string, unknown>>): Promise<Omit<DirectOutcome, "again">> => {
  await enter();
  const begun = performance.now();
  const answered = (outcome: Omit<DirectOutcome, "again">) => {
    const now = performance.now();
    concurrency.succeeded(now - begun, now);
    return outcome;
  };
  try {
    const { Attributes } = await directRequest("UpdateItem", input);
    return answered({ done: true, item: Attributes });
  } catch (error) {
    if (error instanceof DirectError && error.name === "ConditionalCheckFailedException")
      return answered({ done: false, item: error.body.Item });
    if (error instanceof Error && passes(error)) concurrency.throttled(performance.now());
    throw error;
  } finally {
    leave();
  }
};
