import { type Cell, holderOf } from "./cell.ts";
import { cellsOf, type Generation } from "./generation.ts";
import { type Hash, hashOf, type Salt } from "./hash.ts";
import { shardOf } from "./layout.ts";

/** Cells on each side of the estimate that a code look-up reads: 17 cells hold the code in all but 1 of 10,000 cases. */
const reach = 8;

/** Where a code of this generation would be: its shard, and the range of cells that most likely holds it. */
export const whereabouts = (uniqueCode: string, generation: Generation, salt: Salt) => {
  const { shards, cellsPerShard } = generation;
  const hash = hashOf(uniqueCode, salt);
  const shard = shardOf(hash, shards);
  const within = (hash.high / 2 ** 32) * shards - shard;
  const estimate = Math.floor(within * cellsPerShard);
  return {
    hash,
    shard,
    from: Math.max(0, estimate - reach),
    to: Math.min(cellsPerShard - 1, estimate + reach),
  };
};

const isBefore = (one: Hash, other: Hash): boolean =>
  one.high !== other.high ? one.high < other.high : one.low < other.low;

/** The cell and slot of a code among cells of its shard. */
export const findCode = (
  cells: readonly Cell[],
  uniqueCode: string,
): { readonly cell: Cell; readonly slot: number } | undefined => {
  for (const cell of cells) {
    const slot = cell.codes.indexOf(uniqueCode);
    if (slot >= 0) return { cell, slot };
  }
  return undefined;
};

/**
 * True when consecutive cells of a shard must hold the code if the shard does, because codes with smaller and with
 * larger hashes enclose it, or the shard ends there. Only then is "not found" an answer.
 */
export const mustHold = (cells: readonly Cell[], hash: Hash, generation: Generation, salt: Salt): boolean => {
  const codes = cells.flatMap((cell) => cell.codes);
  const [first, last] = [codes[0], codes.at(-1)];
  const startsShard = cells[0]?.address.cell === 0;
  const endsShard = cells.at(-1)?.address.cell === generation.cellsPerShard - 1;
  const enclosedBelow = startsShard || (first !== undefined && isBefore(hashOf(first, salt), hash));
  const enclosedAbove = endsShard || (last !== undefined && isBefore(hash, hashOf(last, salt)));
  return cellsOf(generation) === 0 || (enclosedBelow && enclosedAbove);
};

/** Slots in which this customer holds a code: one under Consistent, one per trigger under Varying. */
export const slotsOfCustomer = (cell: Cell, customerId: string): readonly number[] =>
  cell.tokens.flatMap((token, slot) => (holderOf(token).customerId === customerId ? [slot] : []));
