import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";

/** How far an event source is in a shard. */
export interface Checkpoint {
  /** Everything up to this record is done; absent: nothing is. */
  readonly sequenceNumber?: string;
  /** True when the shard is closed and read to its end. */
  readonly finished?: boolean;
  /** The tumbling window that is open, and what the function wants to remember in it. */
  readonly window?: { readonly startMs: number; readonly state: unknown };
}

/** Checkpoints by shard, in one file that is replaced in one step. */
export interface Checkpoints {
  of(shardId: string): Checkpoint;
  save(shardId: string, checkpoint: Checkpoint): void;
}

/** Opens the file. A lost checkpoint only means that records come a second time, so nothing is synced to disk. */
export function openCheckpoints(file: string): Checkpoints {
  const byShard = new Map<string, Checkpoint>(Object.entries(read(file)));
  return {
    of: (shardId) => byShard.get(shardId) ?? {},
    save(shardId, checkpoint) {
      byShard.set(shardId, checkpoint);
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(`${file}.new`, JSON.stringify(Object.fromEntries(byShard)));
      renameSync(`${file}.new`, file);
    },
  };
}

function read(file: string): Record<string, Checkpoint> {
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch {
    return {};
  }
}
