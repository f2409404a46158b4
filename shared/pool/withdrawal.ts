import { type Cell, type CellAddress, isFull } from "./cell.ts";
import type { Generation } from "./generation.ts";
import { maxCellsPerShard } from "./layout.ts";
import { type PoolStore, shardsPerBlock } from "./pool-store.ts";

/** Seals in flight at once: each is a write on a cell of its own. */
const sealsAtOnce = 64;

/**
 * Shards that are sealed side by side: a partition takes 1,000 writes per second, fewer than a process can send
 * (docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-partition-key-design.html).
 */
const fullShardsAtOnce = 8;

/**
 * Takes the generation's free codes out of the pool for good, while allocations go on: every cell is sealed, which
 * lowers its capacity to those who hold its codes, and each shard is then marked full.
 *
 * Asks `goOn` before every 2,048 cells or so; answers false when that said no and cells are left. Begun again it goes
 * on where it was: a marked shard is full and is skipped, a sealed cell is not written.
 */
export const withdraw = async (
  store: PoolStore,
  generation: Generation,
  goOn: () => boolean = () => true,
): Promise<boolean> => {
  const shardsAtOnce = Math.floor((fullShardsAtOnce * maxCellsPerShard) / generation.cellsPerShard);
  for (let block = 0; block * shardsPerBlock < generation.shards; block += 1) {
    const marked = await store.fullShards(generation, block);
    const open = shardsOfBlock(generation, block).filter((shard) => !marked.has(shard));
    for (let start = 0; start < open.length; start += shardsAtOnce) {
      if (!goOn()) return false;
      await sealShards(store, generation, open.slice(start, start + shardsAtOnce));
    }
  }
  return true;
};

const shardsOfBlock = ({ shards }: Generation, block: number): readonly number[] => {
  const first = block * shardsPerBlock;
  return Array.from({ length: Math.min(shardsPerBlock, shards - first) }, (_, index) => first + index);
};

const sealShards = async (store: PoolStore, generation: Generation, shards: readonly number[]) => {
  const addresses = addressesIn(generation, shards);
  const cells = [...(await store.readCells(addresses))];
  const sealNext = async () => {
    for (let cell = cells.pop(); cell !== undefined; cell = cells.pop()) await sealCell(store, cell);
  };
  await Promise.all(Array.from({ length: sealsAtOnce }, sealNext));
  // A mark says that every cell was seen full: so it comes last.
  await Promise.all(shards.map((shard) => store.markShardFull(generation, shard)));
};

/** Cell by cell over all of these shards, so that the next writes go to different partitions. */
const addressesIn = (
  { number, attempt, cellsPerShard }: Generation,
  shards: readonly number[],
): readonly CellAddress[] =>
  Array.from({ length: cellsPerShard }, (_, cell) =>
    shards.map((shard) => ({ generation: number, attempt, shard, cell })),
  ).flat();

/**
 * Whoever takes a code while the cell is being sealed keeps it: the seal holds only for the number of holders that it
 * was asked for, and is asked for again with the new one. Each round means that a code was handed out, so it ends.
 */
const sealCell = async (store: PoolStore, seen: Cell): Promise<void> => {
  // A read that lags may not know the cell yet, which has codes; a seal answers with what is there.
  let cell = seen.codes.length > 0 ? seen : (await store.seal(seen.address, 0)).cell;
  while (!isFull(cell)) ({ cell } = await store.seal(cell.address, cell.tokens.length));
};
