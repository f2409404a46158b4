import { type CellAddress, isFull } from "./cell.ts";
import { cellsOf, type Generation } from "./generation.ts";
import type { Pool } from "./pool.ts";
import { shardsPerBlock } from "./pool-store.ts";

/**
 * Neighbours that are read, and marked, together. A Query is charged by the KB: 8 full cells cost 2 read units, and
 * one mark for all of them is one write unit.
 */
const cellsPerRun = 8;
/**
 * One in so many who see that a shard is full records it. All shards of a generation are recorded in a few items, and
 * at a pool's end everybody sees it at once: each of them would write these same few.
 */
const seenPerShardMark = 8;

const markShardNowAndThen = async (pool: Pool, generation: Generation, shard: number): Promise<void> => {
  if (pool.random() * seenPerShardMark < 1) await pool.store.markShardFull(generation, shard);
};

const numbersMissing = (from: number, to: number, present: ReadonlySet<number>): number[] => {
  const missing: number[] = [];
  for (let number = from; number < to; number++) if (!present.has(number)) missing.push(number);
  return missing;
};

const draw = <Value>(pool: Pool, values: readonly Value[]): Value =>
  values[Math.floor(pool.random() * values.length)]!;

/**
 * Those of the cell's run that have room. A run without any is marked: each of its cells was seen full, and a full cell
 * stays full, so a mark is never wrong. It may lag or be lost; the next visitor of the run sets it again.
 */
const freeInRun = async (
  pool: Pool,
  generation: Generation,
  shard: number,
  cell: number,
): Promise<readonly CellAddress[]> => {
  const from = cell - (cell % cellsPerRun);
  const end = Math.min(from + cellsPerRun, generation.cellsPerShard);
  const cells = await pool.store.readNeighbours(generation, shard, from, end - 1);
  const free = cells.filter((seen) => !isFull(seen)).map(({ address }) => address);
  if (free.length === 0) {
    const fullCells = await pool.store.markCellsFull(generation, shard, numbersMissing(from, end, new Set()));
    if (fullCells.size >= generation.cellsPerShard) await markShardNowAndThen(pool, generation, shard);
  }
  return free;
};

/** A random cell of the generation that has room, or undefined when all of them were seen full. */
const pickIn = async (pool: Pool, generation: Generation): Promise<CellAddress | undefined> => {
  const openBlocks = numbersMissing(0, Math.ceil(generation.shards / shardsPerBlock), new Set());
  const seenFull = new Set<number>();
  while (openBlocks.length > 0) {
    const block = draw(pool, openBlocks);
    const first = block * shardsPerBlock;
    const fullShards = await pool.store.fullShards(generation, block);
    const last = Math.min(first + shardsPerBlock, generation.shards);
    const openShards = numbersMissing(first, last, new Set([...fullShards, ...seenFull]));
    if (openShards.length === 0) {
      openBlocks.splice(openBlocks.indexOf(block), 1);
      continue;
    }
    const shard = draw(pool, openShards);
    const fullCells = await pool.store.fullCells(generation, shard);
    const unmarked = numbersMissing(0, generation.cellsPerShard, fullCells);
    if (unmarked.length === 0) {
      seenFull.add(shard);
      await markShardNowAndThen(pool, generation, shard);
      continue;
    }
    const free = await freeInRun(pool, generation, shard, draw(pool, unmarked));
    if (free.length > 0) return draw(pool, free);
  }
  return undefined;
};

/** A cell that has room, of the oldest generation that has any. Undefined: every cell known was seen full. */
export const pickAny = async (
  pool: Pool,
  generations: readonly Generation[],
): Promise<CellAddress | undefined> => {
  for (const generation of generations) {
    if (generation.status === "withdrawn" || pool.closed.has(generation.number)) continue;
    const address = cellsOf(generation) > 0 ? await pickIn(pool, generation) : undefined;
    if (address) return address;
    pool.closed.add(generation.number);
  }
  return undefined;
};
