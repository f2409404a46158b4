import { AsyncLocalStorage } from "node:async_hooks";
import type { DynamoDBDocumentClient } from "@aws-sdk/lib-dynamodb";
import type { Caller, Given } from "./contender.ts";

export interface Call extends Given {
  readonly ms: number;
  /** Requests that it made of DynamoDB; 0 where nobody counts them. */
  readonly requests: number;
}

export interface Turns {
  readonly calls: readonly Call[];
  readonly seconds: number;
}

interface Requests {
  count: number;
}
const requestsOfCall = new AsyncLocalStorage<Requests>();

/** Counts this client's requests by the call that makes them. */
export const countRequests = ({ middlewareStack }: Pick<DynamoDBDocumentClient, "middlewareStack">): void =>
  middlewareStack.add(
    (next) => (args) => {
      const requests = requestsOfCall.getStore();
      if (requests) requests.count += 1;
      return next(args);
    },
    { step: "initialize", name: "requests-of-call" },
  );

export interface TakingTurns {
  /** Ends it early once so many codes were given: callers begin no call more, and who tries again and again gives up. */
  readonly enough?: number | undefined;
  /** Told after each call how many were made. */
  readonly onCall?: ((calls: number) => void) | undefined;
}

/**
 * Each caller serves one customer after the other until all were asked for: as many calls are under way as there are
 * callers, until the customers run out. Answers the calls of those whose turn came.
 */
export const takeTurns = async (
  callers: readonly Caller[],
  customers: readonly string[],
  { enough = Number.POSITIVE_INFINITY, onCall }: TakingTurns = {},
): Promise<Turns> => {
  const calls: Call[] = [];
  const rest = customers.values();
  const ending = new AbortController();
  let given = 0;
  const serve = async (caller: Caller) => {
    for (const customerId of rest) {
      const requests: Requests = { count: 0 };
      const begun = performance.now();
      const answer = await requestsOfCall.run(requests, () => caller(customerId, ending.signal));
      calls.push({ customerId, answer, ms: performance.now() - begun, requests: requests.count });
      if (typeof answer === "object") given += 1;
      onCall?.(calls.length);
      if (given >= enough) return ending.abort();
    }
  };
  const begun = performance.now();
  await Promise.all(callers.map(serve));
  return { calls, seconds: (performance.now() - begun) / 1_000 };
};
