import type { CellAddress } from "./cell.ts";
import { cellsOf, type Generation } from "./generation.ts";
import { type Hash, hashOf, type Salt, scale } from "./hash.ts";

/** Cells per partition key: two hex digits. */
export const maxCellsPerShard = 256;

/**
 * Codes per cell so that a cell with every slot taken stays within one write unit of 1 KB: 900 bytes for the codes,
 * a line break each, and 51 bytes for a holder of 36 characters with time, context and list overhead.
 */
export const codesPerCell = (averageCodeLength: number): number =>
  Math.max(4, Math.min(20, Math.floor(900 / (averageCodeLength + 1 + 51))));

/** At least 16 shards where there are cells enough, so that a small pool spreads over partitions too. */
export const shardsFor = (cells: number): number =>
  Math.max(Math.ceil(cells / maxCellsPerShard), Math.min(cells, 16));

const addressAt = (generation: Generation, position: number): CellAddress => ({
  generation: generation.number,
  attempt: generation.attempt,
  shard: Math.floor(position / generation.cellsPerShard),
  cell: position % generation.cellsPerShard,
});

/** The customer's home cells in the base generation: two different ones, or one if there is only one cell. */
export const homeCells = (customerId: string, base: Generation, salt: Salt): readonly CellAddress[] => {
  const cells = cellsOf(base);
  const { high, low } = hashOf(customerId, salt);
  const first = scale(high, cells);
  const drawn = scale(low, cells);
  const second = drawn === first ? (first + 1) % cells : drawn;
  return first === second ? [addressAt(base, first)] : [addressAt(base, first), addressAt(base, second)];
};

/** The shard that holds a code with this hash: shards are ranges of the hash. */
export const shardOf = (hash: Hash, shards: number): number => scale(hash.high, shards);
