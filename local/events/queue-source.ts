import { setTimeout as sleep } from "node:timers/promises";
import { FunctionError } from "../functions/function-error.ts";
import type { Invoke } from "../gateway/authorizer.ts";
import { type Message, md5OfBody } from "../queues/message.ts";
import type { Queue } from "../queues/queue.ts";
import { systemAttributes } from "../queues/sqs-server.ts";
import type { QueueSourceFacts } from "../template/facts.ts";
import { failedItems } from "./batch-answer.ts";
import { eventFilter } from "./event-filter.ts";

/** Something that feeds a function until it is stopped. */
export interface EventSource {
  /** Takes nothing new; resolves when what was under way is done. */
  stop(): Promise<void>;
}

export interface QueueSourceOptions {
  readonly facts: QueueSourceFacts;
  readonly queue: Queue;
  readonly region: string;
  readonly invoke: Invoke;
}

/** SQS's limit for one receive. */
const maxReceive = 10;

/**
 * Hands messages to a function as Lambda's event source does: deletes what succeeded, leaves what failed hidden until
 * its visibility time-out, from where it comes again or goes to the dead letters.
 */
export function startQueueSource(options: QueueSourceOptions): EventSource {
  const { facts, queue } = options;
  const stopping = new AbortController();
  const passes = eventFilter(facts.filters);
  const lanes = Array.from({ length: facts.maximumConcurrency }, async () => {
    while (!stopping.signal.aborted) {
      try {
        const batch = await nextBatch(options, stopping.signal);
        const [fitting, others] = split(batch, (message) => passes(filterable(message)));
        // What no filter lets pass counts as done.
        await deleteAll(queue, others);
        if (fitting.length > 0) await handOver(options, fitting, stopping.signal);
      } catch (error) {
        console.error(`The event source of ${queue.facts.name} failed and goes on in a second:`, error);
        await sleep(1_000);
      }
    }
  });
  return {
    async stop() {
      stopping.abort();
      await Promise.all(lanes);
    },
  };
}

async function nextBatch({ facts, queue }: QueueSourceOptions, signal: AbortSignal): Promise<Message[]> {
  const receive = (max: number, waitMs: number) => queue.receive({ max, waitMs, signal, held: true });
  const batch = [...(await receive(Math.min(facts.batchSize, maxReceive), 20_000))];
  const deadline = Date.now() + facts.batchingWindowSeconds * 1_000;
  while (batch.length > 0 && batch.length < facts.batchSize && !signal.aborted) {
    const waitMs = Math.max(0, deadline - Date.now());
    const more = await receive(Math.min(facts.batchSize - batch.length, maxReceive), waitMs);
    if (more.length === 0) break;
    batch.push(...more);
  }
  return batch;
}

async function handOver(
  options: QueueSourceOptions,
  batch: readonly Message[],
  stopping: AbortSignal,
): Promise<void> {
  const { facts, queue, region, invoke } = options;
  const Records = batch.map((message) => recordOf(message, queue, region));
  try {
    const answer = await invoke(facts.functionArn, JSON.stringify({ Records }));
    const ids = batch.map((message) => message.id);
    const failed = facts.reportsItemFailures ? failedItems(answer, ids) : new Set<string>();
    const [unfinished, done] = split(batch, (message) => failed.has(message.id));
    await Promise.all([deleteAll(queue, done), endHolds(queue, unfinished)]);
  } catch (error) {
    if (!(error instanceof FunctionError)) throw error;
    // The messages come back by themselves; those of a function that we broke off, at the next start.
    if (!stopping.aborted) await endHolds(queue, batch);
  }
}

async function endHolds(queue: Queue, messages: readonly Message[]): Promise<void> {
  await Promise.all(messages.map((message) => queue.endHold(message.receipt ?? "")));
}

async function deleteAll(queue: Queue, messages: readonly Message[]): Promise<void> {
  await Promise.all(messages.map((message) => queue.delete(message.receipt ?? "")));
}

function recordOf(message: Message, queue: Queue, region: string) {
  return {
    messageId: message.id,
    receiptHandle: message.receipt,
    body: message.body,
    attributes: systemAttributes(message),
    messageAttributes: Object.fromEntries(
      Object.entries(message.attributes).map(([name, { DataType, StringValue, BinaryValue }]) => [
        name,
        {
          dataType: DataType,
          stringValue: StringValue,
          binaryValue: BinaryValue,
          stringListValues: [],
          binaryListValues: [],
        },
      ]),
    ),
    md5OfBody: md5OfBody(message.body),
    eventSource: "aws:sqs",
    eventSourceARN: queue.facts.arn,
    awsRegion: region,
  };
}

/** Filters look into a body that is JSON. */
function filterable(message: Message): unknown {
  try {
    return { messageId: message.id, body: JSON.parse(message.body) };
  } catch {
    return { messageId: message.id, body: message.body };
  }
}

function split<Item>(items: readonly Item[], test: (item: Item) => boolean): [Item[], Item[]] {
  return [items.filter(test), items.filter((item) => !test(item))];
}
