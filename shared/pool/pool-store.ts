import type { Cell, CellAddress, Holder, Stamp } from "./cell.ts";
import type { Generation } from "./generation.ts";

/** What became of an append: the cell as it is after it, or as it was when it was refused. */
export type AppendResult =
  | { readonly outcome: "appended"; readonly cell: Cell }
  | { readonly outcome: "refused"; readonly cell: Cell };

export interface NewHolder {
  readonly holder: Holder;
  readonly stamp: Stamp;
}

/**
 * Everything that the pool asks of its store, for one promocode. Each call is one atomic operation on one item
 * (`readCells`, `readNeighbours` and `generations` read several). The model checker and DynamoDB implement the same
 * interface.
 */
export interface PoolStore {
  /** All generations, strongly consistent, by number. */
  generations(): Promise<readonly Generation[]>;
  /** Number of the generation whose cells are home cells, strongly consistent; undefined before the first allocation. */
  base(): Promise<number | undefined>;
  /** Sets the base if there is none yet; answers the base that holds. */
  setBase(generation: number): Promise<number>;
  /**
   * Adds the holders, in this order, if all of them fit (`size < capacity`) and none is in the cell. All or nothing.
   * A cell that does not exist counts as one of capacity 0. For more than one holder the caller says which capacity
   * it relies on, because a DynamoDB condition cannot subtract: if the cell has less, the append is refused.
   */
  append(
    address: CellAddress,
    holders: readonly [NewHolder, ...NewHolder[]],
    capacity?: number,
  ): Promise<AppendResult>;
  /** These different cells, in the order asked for. May lag behind writes: callers rely only on what never changes back. */
  readCells(addresses: readonly CellAddress[]): Promise<readonly Cell[]>;
  /** Lowers the capacity to `size` if that is still how many hold codes; else answers the cell as it is. */
  seal(address: CellAddress, size: number): Promise<AppendResult>;
  /** Those cells of the shard that are numbered `from` to `to`, both included, strongly consistent. */
  readNeighbours(generation: Generation, shard: number, from: number, to: number): Promise<readonly Cell[]>;
  /** Hint: records that these cells of the shard were seen full; answers all its full cells. */
  markCellsFull(
    generation: Generation,
    shard: number,
    cells: readonly number[],
  ): Promise<ReadonlySet<number>>;
  /** Hint: records that all cells of the shard were seen full; answers the full shards of its block. */
  markShardFull(generation: Generation, shard: number): Promise<ReadonlySet<number>>;
  /** Numbers of the shard's cells that were seen full. */
  fullCells(generation: Generation, shard: number): Promise<ReadonlySet<number>>;
  /** Numbers of the shards that were seen full, within the block of 256 that starts at `block * 256`. */
  fullShards(generation: Generation, block: number): Promise<ReadonlySet<number>>;
  /** The cell where the holder is to be placed, strongly consistent. */
  intent(holder: Holder): Promise<CellAddress | undefined>;
  /** Whether an intent is stored, for many holders at once and in their order, where the store can. */
  haveIntents?(holders: readonly Holder[]): Promise<readonly boolean[]>;
  /** Stores the intent if there is none; answers the one that is stored then. */
  createIntent(holder: Holder, candidate: CellAddress): Promise<CellAddress>;
  /** Moves the intent if it still names `from`; answers the one that is stored then. */
  moveIntent(holder: Holder, from: CellAddress, to: CellAddress): Promise<CellAddress>;
}

/** Shards are listed in blocks of this many, so that a block's full set stays below 1 KB. */
export const shardsPerBlock = 256;
