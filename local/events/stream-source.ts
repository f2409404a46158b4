import { setTimeout as sleep } from "node:timers/promises";
import type { StreamSourceFacts } from "../template/facts.ts";
import type { Checkpoint, Checkpoints } from "./checkpoints.ts";
import { eventFilter } from "./event-filter.ts";
import type { EventSource } from "./queue-source.ts";
import { type DeliverBatch, StoppedError } from "./stream-batch.ts";
import { type Page, StreamError, type StreamReader, type StreamRecord } from "./stream-reader.ts";

export interface StreamSourceOptions {
  readonly facts: StreamSourceFacts;
  /** The engine's own. */
  readonly streamArn: string;
  readonly reader: StreamReader;
  readonly checkpoints: Checkpoints;
  readonly deliver: DeliverBatch;
  /** Pause after a page without records. @default 100 (Lambda: 250) */
  readonly idleMs?: number;
}

/** Shards rarely come and go, and looking for them makes dynoxide count all records of the stream. */
const discoveryMs = 60_000;
const firstDiscoveryMs = 1_000;
const pageLimit = 1_000;
/** How often the position is written down while no filter lets anything pass. */
const quietSaveMs = 1_000;

/**
 * Hands the records of a table's stream to a function: each shard in order, a shard after its parent, at least once.
 * The position survives a restart. A source without a position begins with the oldest record, also when the template
 * says LATEST: here it is always made together with its table.
 */
export function startStreamSource(options: StreamSourceOptions): EventSource {
  const stopping = new AbortController();
  const shards = new Map<string, Promise<void>>();

  const discover = async () => {
    const known = await options.reader.shards(options.streamArn);
    for (const { ShardId, ParentShardId } of known) {
      const parentIsDone =
        ParentShardId === undefined ||
        options.checkpoints.of(ParentShardId).finished ||
        !known.some((shard) => shard.ShardId === ParentShardId);
      if (shards.has(ShardId) || !parentIsDone || options.checkpoints.of(ShardId).finished) continue;
      const followed = follow(new ShardPosition(options, ShardId), options, stopping.signal);
      // The children of a closed shard begin at once.
      shards.set(
        ShardId,
        followed.then(() => (stopping.signal.aborted ? undefined : look())),
      );
    }
  };
  const look = () =>
    discover().catch((error: unknown) => {
      if (!stopping.signal.aborted) console.error("The table's stream cannot be read:", error);
    });
  const discovery = (async () => {
    while (!stopping.signal.aborted) {
      await look();
      const pause = shards.size === 0 ? firstDiscoveryMs : discoveryMs;
      await sleep(pause, undefined, { signal: stopping.signal }).catch(() => {});
    }
  })();

  return {
    async stop() {
      stopping.abort();
      await discovery;
      await Promise.all(shards.values());
    },
  };
}

async function follow(position: ShardPosition, options: StreamSourceOptions, stopping: AbortSignal) {
  const { idleMs = 100 } = options;
  const pause = (ms: number) => sleep(ms, undefined, { signal: stopping }).catch(() => {});
  let failures = 0;
  while (!stopping.aborted) {
    try {
      const page = await position.read();
      await position.handOver(page.Records, stopping);
      if (page.NextShardIterator === undefined) return await position.finish(stopping);
      if (page.Records.length === 0) await pause(idleMs);
      failures = 0;
    } catch (error) {
      if (error instanceof StoppedError) return;
      failures += 1;
      if (failures === 20) console.error("The table's stream cannot be read:", error);
      position.restart(error instanceof StreamError && error.code === "TrimmedDataAccessException");
      await pause(Math.min(100 * failures, 2_000));
    }
  }
}

/** The place in one shard up to which everything is done. */
class ShardPosition {
  readonly #passes: (record: unknown) => boolean;
  readonly #windowMs: number;
  /** Records that passed the filter and wait for their batch to be full. */
  #waiting: StreamRecord[] = [];
  #waitingSince = 0;
  #iterator: string | undefined;
  #lastRead: string | undefined;
  #checkpoint: Checkpoint;
  #savedAt = 0;

  constructor(
    private readonly options: StreamSourceOptions,
    private readonly shardId: string,
  ) {
    this.#passes = eventFilter(options.facts.filters);
    this.#windowMs = options.facts.tumblingWindowSeconds * 1_000;
    this.#checkpoint = options.checkpoints.of(shardId);
    this.#lastRead = this.#checkpoint.sequenceNumber;
  }

  async read(): Promise<Page> {
    const { reader, streamArn } = this.options;
    this.#iterator ??= await reader.iterator(streamArn, this.shardId, this.#lastRead);
    const page = await reader.page(this.#iterator, pageLimit);
    this.#iterator = page.NextShardIterator;
    return page;
  }

  /** Reads again from the last position, or from the oldest record when the stream has forgotten that position. */
  restart(forgotten: boolean): void {
    this.#iterator = undefined;
    this.#waiting = [];
    this.#lastRead = forgotten ? undefined : this.#checkpoint.sequenceNumber;
  }

  /** Delivers what is due; throws a StoppedError when the service stops before it is done. */
  async handOver(records: readonly StreamRecord[], stopping: AbortSignal): Promise<void> {
    const { batchSize, batchingWindowSeconds } = this.options.facts;
    for (const record of records) {
      this.#lastRead = record.dynamodb.SequenceNumber;
      if (!this.#passes(record)) continue;
      if (this.#waiting.length === 0) this.#waitingSince = Date.now();
      this.#waiting.push(record);
      if (this.#waiting.length === batchSize) await this.#deliver(record.dynamodb.SequenceNumber, stopping);
    }
    const isDue = Date.now() - this.#waitingSince >= batchingWindowSeconds * 1_000;
    if (this.#waiting.length > 0 && isDue) await this.#deliver(this.#lastRead, stopping);
    if (records.length === 0) await this.#closeWindow(Date.now(), stopping);
    if (this.#waiting.length === 0 && Date.now() - this.#savedAt > quietSaveMs) this.#moveTo(this.#lastRead);
  }

  /** Delivers the rest of a closed shard. */
  async finish(stopping: AbortSignal): Promise<void> {
    if (this.#waiting.length > 0) await this.#deliver(this.#lastRead, stopping);
    await this.#closeWindow(Infinity, stopping);
    this.#checkpoint = { ...this.#checkpoint, finished: true };
    this.options.checkpoints.save(this.shardId, this.#checkpoint);
  }

  async #deliver(upTo: string | undefined, stopping: AbortSignal): Promise<void> {
    const batch = this.#waiting;
    this.#waiting = [];
    for (const records of this.#byWindow(batch)) {
      const [first] = records;
      if (first !== undefined) await this.#deliverInWindow(records, this.#windowOf(first), stopping);
    }
    this.#moveTo(upTo);
  }

  async #deliverInWindow(
    records: readonly StreamRecord[],
    startMs: number | undefined,
    stopping: AbortSignal,
  ): Promise<void> {
    if (startMs === undefined) {
      await this.options.deliver({ shardId: this.shardId, records }, stopping);
      return;
    }
    await this.#closeWindow(startMs, stopping);
    // A record that comes after its window was closed belongs to the one that is open.
    const open = this.#checkpoint.window ?? { startMs, state: {} };
    const state = await this.options.deliver(
      { shardId: this.shardId, records, window: { ...open, endMs: open.startMs + this.#windowMs } },
      stopping,
    );
    this.#checkpoint = { ...this.#checkpoint, window: { startMs: open.startMs, state } };
    this.#moveTo(records.at(-1)?.dynamodb.SequenceNumber);
  }

  /** Makes the last call for a window whose end has come. */
  async #closeWindow(nowMs: number, stopping: AbortSignal): Promise<void> {
    const { window, ...rest } = this.#checkpoint;
    if (window === undefined || nowMs < window.startMs + this.#windowMs) return;
    await this.options.deliver(
      {
        shardId: this.shardId,
        records: [],
        window: { ...window, endMs: window.startMs + this.#windowMs, isFinal: true },
      },
      stopping,
    );
    this.#checkpoint = rest;
    this.#moveTo(rest.sequenceNumber);
  }

  #windowOf(record: StreamRecord): number | undefined {
    if (this.#windowMs === 0) return undefined;
    const at = record.dynamodb.ApproximateCreationDateTime * 1_000;
    return Math.floor(at / this.#windowMs) * this.#windowMs;
  }

  #byWindow(records: readonly StreamRecord[]): StreamRecord[][] {
    const groups: StreamRecord[][] = [];
    let current: number | undefined;
    for (const record of records) {
      const window = this.#windowOf(record);
      const last = groups.at(-1);
      if (last !== undefined && window === current) last.push(record);
      else groups.push([record]);
      current = window;
    }
    return groups;
  }

  #moveTo(sequenceNumber: string | undefined): void {
    this.#savedAt = Date.now();
    if (sequenceNumber === undefined) return;
    const { window } = this.#checkpoint;
    const unchanged = this.#checkpoint.sequenceNumber === sequenceNumber;
    const before = this.options.checkpoints.of(this.shardId);
    this.#checkpoint = { ...this.#checkpoint, sequenceNumber };
    if (!unchanged || before.window !== window) this.options.checkpoints.save(this.shardId, this.#checkpoint);
  }
}
