import { setTimeout as sleep } from "node:timers/promises";
import { EventBridgeClient, PutEventsCommand, type PutEventsRequestEntry } from "@aws-sdk/client-eventbridge";
import { NodeHttpHandler } from "@smithy/node-http-handler";
import { eventSource, events } from "../contract/events.ts";
import type { ServiceEvent } from "../domain/service-events.ts";
import { environment } from "../environment.ts";

const eventBridge = new EventBridgeClient({
  maxAttempts: 3,
  // Without `throwOnRequestTimeout` a request that hangs is only warned about.
  requestHandler: new NodeHttpHandler({
    connectionTimeout: 2_000,
    requestTimeout: 3_000,
    throwOnRequestTimeout: true,
  }),
});

/** Most entries of one request (docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html). */
const entriesPerRequest = 10;
const mostTries = 3;
const firstPauseMs = 100;

/** Events that the bus did not take. Whoever tells them has to come again. */
export class EventsUndelivered extends Error {
  override readonly name = "EventsUndelivered";
}

/** Puts the events on the service's bus; throws `EventsUndelivered`. Done again, consumers see the same event ids. */
export const publishEvents = async (happened: readonly ServiceEvent[]): Promise<void> => {
  const entries = happened.map(entryOf);
  for (let start = 0; start < entries.length; start += entriesPerRequest)
    await putAll(entries.slice(start, start + entriesPerRequest));
};

const entryOf = ({ name, detail }: ServiceEvent): PutEventsRequestEntry => ({
  EventBusName: environment("eventBus"),
  Source: eventSource,
  DetailType: name,
  // The schema leaves nothing through that it does not name.
  Detail: JSON.stringify(events[name].detail.parse(detail)),
  Time: new Date(detail.occurredAt),
});

/** A request can succeed and some of its entries fail, and those the SDK does not try again. */
const putAll = async (entries: readonly PutEventsRequestEntry[]): Promise<void> => {
  let left = entries;
  for (let tries = 1; ; tries += 1) {
    const refusals = await put(left);
    left = left.filter((_, at) => refusals[at] !== undefined);
    if (left.length === 0) return;
    if (tries === mostTries) {
      const codes = [...new Set(refusals.filter((code) => code !== undefined))];
      throw new EventsUndelivered(`the bus refused ${left.length} events: ${codes.join(", ")}`);
    }
    await sleep(firstPauseMs * 2 ** (tries - 1) * (0.5 + Math.random()));
  }
};

/** For each entry why it failed; undefined when it is on the bus. */
const put = async (entries: readonly PutEventsRequestEntry[]): Promise<readonly (string | undefined)[]> => {
  try {
    const { Entries = [] } = await eventBridge.send(new PutEventsCommand({ Entries: [...entries] }));
    // An answer without a word on an entry is none.
    return entries.map((_, at) => {
      const { EventId, ErrorCode } = Entries[at] ?? {};
      return EventId === undefined ? (ErrorCode ?? "no answer") : undefined;
    });
  } catch (error) {
    throw new EventsUndelivered(
      `the bus did not take ${entries.length} events: ${error instanceof Error ? error.name : "unknown"}`,
      { cause: error },
    );
  }
};
