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

/**
 * Each caller serves one customer after the other until all were asked for: as many calls are under way as there are
 * callers, until the customers run out. A signal ends it early; then only the customers whose turn came are in `calls`.
 */
export const takeTurns = async (
  callers: readonly Caller[],
  customers: readonly string[],
  { signal, onCall }: { readonly signal?: AbortSignal; readonly onCall?: (calls: number) => void } = {},
): Promise<Turns> => {
  const calls: Call[] = [];
  const rest = customers.values();
  const serve = async (caller: Caller) => {
    for (const customerId of rest) {
      const requests: Requests = { count: 0 };
      const begun = performance.now();
      const answer = await requestsOfCall.run(requests, () => caller(customerId, signal));
      calls.push({ customerId, answer, ms: performance.now() - begun, requests: requests.count });
      onCall?.(calls.length);
      if (signal?.aborted) return;
    }
  };
  const begun = performance.now();
  await Promise.all(callers.map(serve));
  return { calls, seconds: (performance.now() - begun) / 1_000 };
};
