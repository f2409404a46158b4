import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import * as z from "zod";
import { FunctionError } from "../functions/function-error.ts";
import { maxPayloadBytes } from "../functions/function-worker.ts";
import type { Invoke } from "../gateway/authorizer.ts";
import type { Queue } from "../queues/queue.ts";
import type { StreamSourceFacts } from "../template/facts.ts";
import { failedItems } from "./batch-answer.ts";
import type { StreamRecord } from "./stream-reader.ts";

/** Records of one shard, in order, and the tumbling window that they belong to. */
export interface StreamBatch {
  readonly shardId: string;
  readonly records: readonly StreamRecord[];
  readonly window?: {
    readonly startMs: number;
    readonly endMs: number;
    readonly state: unknown;
    /** True for the call without records that ends the window. */
    readonly isFinal?: boolean;
  };
}

/** Gets the batch done, however many attempts it takes, and answers the window's new state. */
export type DeliverBatch = (batch: StreamBatch, stopping: AbortSignal) => Promise<unknown>;

/** The service stops; the batch is not done and will come again. */
export class StoppedError extends Error {}

export interface BatchDeliveryOptions {
  readonly facts: StreamSourceFacts;
  readonly streamArn: string;
  readonly region: string;
  readonly invoke: Invoke;
  /** Hears of batches that are given up. */
  readonly onFailure?: Queue | undefined;
}

const firstRetryMs = 100;
const maxRetryMs = 10_000;

const stateSchema = z.object({ state: z.record(z.string(), z.unknown()) });

/** In a tumbling window an answer without a state counts as a failure of the function. */
function stateIn(answer: unknown): object {
  const parsed = stateSchema.safeParse(answer);
  if (!parsed.success) throw new FunctionError("InvalidState", "The answer has no state.");
  return parsed.data.state;
}

/** A stream's batch blocks its shard until the function has done it, or the template's patience is at its end. */
export function batchDelivery({
  facts,
  streamArn,
  region,
  invoke,
  onFailure,
}: BatchDeliveryOptions): DeliverBatch {
  const eventOf = ({ shardId, records, window }: StreamBatch) => {
    const Records = records.map((record) => ({ ...record, awsRegion: region, eventSourceARN: streamArn }));
    if (window === undefined) return JSON.stringify({ Records });
    return JSON.stringify({
      Records,
      window: { start: isoSeconds(window.startMs), end: isoSeconds(window.endMs) },
      state: window.state,
      shardId,
      eventSourceARN: streamArn,
      isFinalInvokeForWindow: window.isFinal ?? false,
      isWindowTerminatedEarly: false,
    });
  };

  const giveUp = async ({ shardId, records }: StreamBatch, condition: string, attempts: number) => {
    const [first] = records;
    const last = records.at(-1);
    const report = {
      requestContext: {
        requestId: randomUUID(),
        functionArn: facts.functionArn,
        condition,
        approximateInvokeCount: attempts,
      },
      responseContext: { statusCode: 200, executedVersion: "$LATEST", functionError: "Unhandled" },
      version: "1.0",
      timestamp: new Date().toISOString(),
      DDBStreamBatchInfo: {
        shardId,
        startSequenceNumber: first?.dynamodb.SequenceNumber,
        endSequenceNumber: last?.dynamodb.SequenceNumber,
        approximateArrivalOfFirstRecord: arrival(first),
        approximateArrivalOfLastRecord: arrival(last),
        batchSize: records.length,
        streamArn,
      },
    };
    await onFailure?.send(JSON.stringify(report));
  };

  const deliver = async (batch: StreamBatch, stopping: AbortSignal): Promise<unknown> => {
    let { records } = batch;
    let state = batch.window?.state;
    const inHalves = async () => {
      const middle = Math.ceil(records.length / 2);
      for (const half of [records.slice(0, middle), records.slice(middle)])
        state = await deliver(withState({ ...batch, records: half }, state), stopping);
      return state;
    };

    for (let attempts = 1; ; attempts += 1) {
      const event = eventOf(withState({ ...batch, records }, state));
      if (Buffer.byteLength(event) > maxPayloadBytes && records.length > 1) return inHalves();
      try {
        const answer = await invoke(facts.functionArn, event);
        if (batch.window !== undefined) state = stateIn(answer);
        const sequence = records.map((record) => record.dynamodb.SequenceNumber);
        const failed = facts.reportsItemFailures ? failedItems(answer, sequence) : new Set<string>();
        const firstFailed = sequence.findIndex((number) => failed.has(number));
        if (firstFailed === -1) return state ?? {};
        // Everything before the first failure is done; the rest comes again, in order.
        records = records.slice(firstFailed);
      } catch (error) {
        if (!(error instanceof FunctionError)) throw error;
        if (stopping.aborted) throw new StoppedError();
        if (facts.bisectsOnError && records.length > 1) return inHalves();
      }
      if (attempts > facts.maximumRetries) {
        await giveUp({ ...batch, records }, "RetryAttemptsExhausted", attempts);
        return state ?? {};
      }
      const tooOld = records.filter((record) => ageInSeconds(record) > facts.maximumRecordAgeSeconds);
      if (tooOld.length > 0) {
        await giveUp({ ...batch, records: tooOld }, "RecordAgeExceeded", attempts);
        records = records.slice(tooOld.length);
        if (records.length === 0) return state ?? {};
      }
      const pause = Math.min(firstRetryMs * 2 ** (attempts - 1), maxRetryMs);
      await sleep(pause, undefined, { signal: stopping }).catch(() => {
        throw new StoppedError();
      });
    }
  };
  return deliver;
}

function withState(batch: StreamBatch, state: unknown): StreamBatch {
  return batch.window === undefined ? batch : { ...batch, window: { ...batch.window, state } };
}

function isoSeconds(ms: number): string {
  return new Date(ms).toISOString().replace(".000Z", "Z");
}

function arrival(record: StreamRecord | undefined): string | undefined {
  const seconds = record?.dynamodb.ApproximateCreationDateTime;
  return seconds === undefined ? undefined : new Date(seconds * 1_000).toISOString();
}

function ageInSeconds(record: StreamRecord): number {
  return Date.now() / 1_000 - record.dynamodb.ApproximateCreationDateTime;
}
