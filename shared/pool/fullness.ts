import type { CellAddress } from "./cell.ts";
import { cellsOf, type Generation } from "./generation.ts";
import type { Pool } from "./pool.ts";
import { shardsPerBlock } from "./pool-store.ts";

/**
 * Marks are hints about which cells are full. A mark is set only after the cell was seen full, and a full cell stays
 * full, so a mark is never wrong; it may lag or be lost, and the next visitor of the cell sets it again.
 */
export const markFull = async (
  { store }: Pool,
  generation: Generation,
  address: CellAddress,
): Promise<void> => {
  const fullCells = await store.markCellFull(address);
  if (fullCells.size >= generation.cellsPerShard) await store.markShardFull(generation, address.shard);
};

/** Sets the mark of a cell that refused, if whoever filled it did not live to set it. Reads before it writes. */
export const healMark = async (pool: Pool, generation: Generation, address: CellAddress): Promise<void> => {
  if (generation.status === "withdrawn" || pool.closed.has(generation.number)) return;
  const fullCells = await pool.store.fullCells(generation, address.shard);
  if (!fullCells.has(address.cell)) await markFull(pool, generation, address);
};

const numbersMissing = (from: number, to: number, present: ReadonlySet<number>): number[] => {
  const missing: number[] = [];
  for (let number = from; number < to; number++) if (!present.has(number)) missing.push(number);
  return missing;
};

const draw = (pool: Pool, numbers: readonly number[]): number =>
  numbers[Math.floor(pool.random() * numbers.length)]!;

/** A random cell of the generation that was not seen full, or undefined when all of them were. */
const pickIn = async (pool: Pool, generation: Generation): Promise<CellAddress | undefined> => {
  const openBlocks = numbersMissing(0, Math.ceil(generation.shards / shardsPerBlock), new Set());
  while (openBlocks.length > 0) {
    const block = draw(pool, openBlocks);
    const first = block * shardsPerBlock;
    const fullShards = await pool.store.fullShards(generation, block);
    const openShards = numbersMissing(first, Math.min(first + shardsPerBlock, generation.shards), fullShards);
    if (openShards.length === 0) {
      openBlocks.splice(openBlocks.indexOf(block), 1);
      continue;
    }
    const shard = draw(pool, openShards);
    const fullCells = await pool.store.fullCells(generation, shard);
    const openCells = numbersMissing(0, generation.cellsPerShard, fullCells);
    if (openCells.length > 0) {
      const { number, attempt } = generation;
      return { generation: number, attempt, shard, cell: draw(pool, openCells) };
    }
    await pool.store.markShardFull(generation, shard);
  }
  return undefined;
};

/** A cell that may have room, from the oldest generation that has any. Undefined: every cell known was seen full. */
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
