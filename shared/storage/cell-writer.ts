import { setTimeout as sleep } from "node:timers/promises";
import { AdaptiveConcurrency } from "./adaptive-concurrency.ts";
import type { CellItem } from "./cells.ts";
import { tableName } from "./client.ts";
import { type DirectItem, directItem, directRequest, mayTakeEffect, passes } from "./direct-request.ts";

/** BatchWriteItem takes 25 (docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html). */
const cellsPerBatch = 25;
/** To the head of the answer. Longer than others wait: who gives up has to wait for what may yet take effect. */
const requestTimeoutMs = 10_000;
const firstPauseMs = 50;
const longestPauseMs = 5_000;

export interface CellWriting {
  /** Aborts the writing: no request is begun any more, and those under way are waited for. */
  readonly signal: AbortSignal;
  /** Once it says no, no cell is pulled and nothing is tried again any more. @default always */
  readonly goOn?: () => boolean;
  /** Told how many cells each request wrote. */
  readonly onWritten?: (cells: number) => void;
  /** Gives up when nothing at all was written for this long. @default 3 minutes */
  readonly patienceMs?: number;
  /** Time given to requests that were never answered to take effect. @default 30 seconds */
  readonly settleMs?: number;
}

interface PutRequest {
  readonly PutRequest: { readonly Item: DirectItem };
}

/**
 * Writes new cells, in any order and as fast as the table takes them; an item that is there is overwritten. Pulls
 * `cells` only as fast as it writes. Answers how many of them, counted from the first, are written without a gap: all,
 * if it was let go on. When it is back or throws, no request is under way any more.
 */
export const writeCells = async (cells: Iterable<CellItem>, writing: CellWriting): Promise<number> => {
  const { goOn = () => true, signal } = writing;
  const concurrency = new AdaptiveConcurrency();
  const inFlight = new Set<Promise<void>>();
  const progress: Progress = { at: performance.now(), unansweredAt: undefined, trouble: undefined };
  const failures: unknown[] = [];
  let pulled = 0;
  let firstGap = Number.POSITIVE_INFINITY;
  for (const batch of batchesOf(cells, goOn)) {
    while (inFlight.size >= concurrency.limit && failures.length === 0) await Promise.race(inFlight);
    if (failures.length > 0 || signal.aborted) break;
    const first = pulled;
    pulled += batch.length;
    const request = writeBatch(batch, { ...writing, goOn }, concurrency, progress)
      .then((isWritten) => {
        if (!isWritten) firstGap = Math.min(firstGap, first);
      })
      .catch((error: unknown) => void failures.push(error))
      .finally(() => inFlight.delete(request));
    inFlight.add(request);
  }
  await Promise.all(inFlight);
  if (failures.length > 0) throw failures[0];
  // A request that timed out may still be on its way. Its put must not land on a cell that codes are given out of.
  if (progress.unansweredAt !== undefined)
    await sleep(progress.unansweredAt + (writing.settleMs ?? 30_000) - performance.now());
  signal.throwIfAborted();
  return Math.min(pulled, firstGap);
};

interface Progress {
  /** When something was written last. */
  at: number;
  /** When a request ended without an answer last: whether it was or will be carried out is not known. */
  unansweredAt: number | undefined;
  /** Why a request was made again last. */
  trouble: Error | undefined;
}

function* batchesOf(cells: Iterable<CellItem>, goOn: () => boolean): Generator<readonly PutRequest[]> {
  let batch: PutRequest[] = [];
  for (const cell of cells) {
    if (batch.length === 0 && !goOn()) return;
    batch.push({ PutRequest: { Item: directItem(cell) } });
    if (batch.length < cellsPerBatch) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}

/** Whether all of it is written; false when it was not to be tried again. */
const writeBatch = async (
  batch: readonly PutRequest[],
  { signal, goOn, onWritten, patienceMs = 180_000 }: CellWriting & Required<Pick<CellWriting, "goOn">>,
  concurrency: AdaptiveConcurrency,
  progress: Progress,
): Promise<boolean> => {
  let left = batch;
  for (let failed = 0; ; failed++) {
    const begun = performance.now();
    const unwritten = await tryBatch(left, progress);
    const now = performance.now();
    if (unwritten.length < left.length) {
      progress.at = now;
      onWritten?.(left.length - unwritten.length);
    }
    left = unwritten;
    if (left.length === 0) {
      concurrency.succeeded(now - begun, now);
      return true;
    }
    concurrency.throttled(now);
    if (now - progress.at > patienceMs)
      throw new Error(`DynamoDB has taken no cell for ${patienceMs / 1000} seconds`, {
        cause: progress.trouble,
      });
    // Full jitter: aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter
    await sleep(Math.random() * Math.min(longestPauseMs, firstPauseMs * 2 ** failed));
    signal.throwIfAborted();
    if (!goOn()) return false;
  }
};

/** What DynamoDB did not write of it. Not tried again here: how DynamoDB answers decides how many are in flight. */
const tryBatch = async (batch: readonly PutRequest[], progress: Progress): Promise<readonly PutRequest[]> => {
  try {
    const { UnprocessedItems } = await directRequest(
      "BatchWriteItem",
      { RequestItems: { [tableName()]: batch } },
      { timeoutMs: requestTimeoutMs },
    );
    return (UnprocessedItems?.[tableName()] ?? []) as readonly PutRequest[];
  } catch (error) {
    if (!(error instanceof Error && passes(error))) throw error;
    progress.trouble = error;
    if (mayTakeEffect(error)) progress.unansweredAt = performance.now();
    return batch;
  }
};
