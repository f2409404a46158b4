import { scale } from "../hash.ts";
import { codesPerCell, maxCellsPerShard, shardsFor } from "../layout.ts";

/** How a generation's codes are spread: shards are ranges of the hash, a shard's codes are cut evenly. */
export interface Cut {
  readonly shards: number;
  readonly cellsPerShard: number;
  /** Position of each shard's first code, and the number of codes at the end: `shards + 1` entries. */
  readonly starts: readonly number[];
}

/** What cutting needs to know of codes in hash order. */
export interface HashOrder {
  readonly count: number;
  /** Position of the first code whose hash's high half is at least `high`. */
  firstFrom(high: number): number;
}

/** The smallest hash half that `scale` maps to this shard. `scale` has the last word: both divisions round. */
const firstHashOf = (shard: number, shards: number): number => {
  let first = Math.ceil((shard / shards) * 2 ** 32);
  while (first > 0 && scale(first - 1, shards) >= shard) first -= 1;
  while (scale(first, shards) < shard) first += 1;
  return first;
};

/** Positions where each of `shards` ranges begins, and the end. */
export const shardStarts = (codes: HashOrder, shards: number): readonly number[] =>
  Array.from({ length: shards + 1 }, (_, shard) =>
    shard === shards ? codes.count : codes.firstFrom(firstHashOf(shard, shards)),
  );

const largest = (starts: readonly number[]): number =>
  starts.reduce((most, start, shard) => Math.max(most, start - (starts[shard - 1] ?? 0)), 0);

/**
 * The cut with the fewest cells that holds `codesPerCell` codes each, one more at most. Hashes do not fill all shards
 * alike, so the fullest shard decides: cells are added to each shard, and shards once these have all they may.
 */
export const cutOf = (codes: HashOrder, averageCodeLength: number): Cut => {
  const wanted = codesPerCell(averageCodeLength);
  const cells = Math.max(1, Math.ceil(codes.count / wanted));
  for (let shards = shardsFor(cells); ; shards++) {
    const starts = shardStarts(codes, shards);
    const fewest = Math.min(maxCellsPerShard, Math.ceil(cells / shards));
    const needed = Math.ceil(largest(starts) / (wanted + 1));
    const cellsPerShard = Math.max(fewest, needed);
    if (cellsPerShard <= maxCellsPerShard) return { shards, cellsPerShard, starts };
  }
};

/** Positions [from, to) of a cell's codes: sizes within a shard differ by one at most, empty cells come with few codes. */
export const cellRange = (
  { starts, cellsPerShard }: Cut,
  shard: number,
  cell: number,
): { readonly from: number; readonly to: number } => {
  const start = starts[shard]!;
  const codes = starts[shard + 1]! - start;
  return {
    from: start + Math.floor((cell * codes) / cellsPerShard),
    to: start + Math.floor(((cell + 1) * codes) / cellsPerShard),
  };
};
