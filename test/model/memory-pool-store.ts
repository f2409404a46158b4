import type { Cell, CellAddress, Holder } from "../../shared/pool/cell.ts";
import { tokenOf } from "../../shared/pool/cell.ts";
import type { Generation } from "../../shared/pool/generation.ts";
import type { AppendResult, NewHolder, PoolStore } from "../../shared/pool/pool-store.ts";
import { shardsPerBlock } from "../../shared/pool/pool-store.ts";
import type { Process } from "./simulation.ts";

interface CellState {
  capacity: number;
  readonly codes: readonly string[];
  readonly holders: NewHolder[];
  /** How the cell was after each of its changes, and when: a lagging read answers one of these. */
  readonly past: { readonly at: number; readonly capacity: number; readonly size: number }[];
}

/** A pool in memory: what DynamoDB would hold. */
export class PoolState {
  /** Counts the operations: the model's clock. */
  now = 0;
  readonly generations: Generation[] = [];
  base: number | undefined;
  readonly cells = new Map<string, CellState>();
  readonly intents = new Map<string, CellAddress>();
  readonly fullCells = new Map<string, Set<number>>();
  readonly fullShards = new Map<string, Set<number>>();
}

export const cellName = ({ generation, shard, cell }: CellAddress): string =>
  `${generation}.${shard}.${cell}`;

/** Keeps how the cell is now, for reads that lag. */
export const remember = (state: PoolState, cell: CellState): void => {
  cell.past.push({ at: state.now, capacity: cell.capacity, size: cell.holders.length });
};

const setIn = (sets: Map<string, Set<number>>, name: string): Set<number> => {
  const set = sets.get(name) ?? new Set<number>();
  sets.set(name, set);
  return set;
};

/** Most operations that an eventually consistent read lags behind. */
const longestLag = 30;

/** The store as one process sees it: every operation waits for the scheduler and then happens in one piece. */
export const memoryPoolStore = (state: PoolState, process: Process, random: () => number): PoolStore => {
  const turn = <Result>(operation: () => Result): Promise<Result> =>
    process.turn(() => {
      state.now += 1;
      return operation();
    });
  /** The cell as it was at this time; one that was not there yet is a cell without codes. */
  const readAt = (address: CellAddress, time: number): Cell => {
    const cell = state.cells.get(cellName(address));
    const then = cell?.past.findLast(({ at }) => at <= time);
    if (!cell || !then) return { address, capacity: 0, codes: [], tokens: [], stamps: [] };
    const holders = cell.holders.slice(0, then.size);
    return {
      address,
      capacity: then.capacity,
      codes: cell.codes,
      tokens: holders.map(({ holder }) => tokenOf(holder)),
      stamps: holders.map(({ stamp }) => stamp),
    };
  };
  const read = (address: CellAddress): Cell => readAt(address, state.now);
  const answer = (outcome: AppendResult["outcome"], address: CellAddress): AppendResult => ({
    outcome,
    cell: read(address),
  });
  const intentName = (holder: Holder) => tokenOf(holder);

  return {
    generations: () => turn(() => [...state.generations]),
    base: () => turn(() => state.base),
    setBase: (generation) =>
      turn(() => {
        state.base ??= generation;
        return state.base;
      }),
    append: (address, holders) =>
      turn(() => {
        const cell = state.cells.get(cellName(address));
        if (!cell) return answer("refused", address);
        const slotsAreFree = cell.holders.length + holders.length <= cell.capacity;
        const tokens = read(address).tokens;
        const holdersAreNew = !holders.some(({ holder }) => tokens.includes(tokenOf(holder)));
        if (!(slotsAreFree && holdersAreNew)) return answer("refused", address);
        cell.holders.push(...holders);
        remember(state, cell);
        return answer("appended", address);
      }),
    readCells: (addresses) =>
      turn(() => addresses.map((address) => readAt(address, state.now - Math.floor(random() * longestLag)))),
    seal: (address, size) =>
      turn(() => {
        const cell = state.cells.get(cellName(address));
        const sizeIsAsSeen = cell?.holders.length === size;
        if (!cell || !sizeIsAsSeen) return answer("refused", address);
        cell.capacity = size;
        remember(state, cell);
        return answer("appended", address);
      }),
    readNeighbours: ({ number, attempt }, shard, from, to) =>
      turn(() =>
        Array.from({ length: to - from + 1 }, (_, at) =>
          read({ generation: number, attempt, shard, cell: from + at }),
        ),
      ),
    markCellsFull: ({ number }, shard, cells) =>
      turn(() => {
        const marked = setIn(state.fullCells, `${number}.${shard}`);
        for (const cell of cells) marked.add(cell);
        return new Set(marked);
      }),
    markShardFull: ({ number }, shard) =>
      turn(
        () => new Set(setIn(state.fullShards, `${number}.${Math.floor(shard / shardsPerBlock)}`).add(shard)),
      ),
    fullCells: ({ number }, shard) => turn(() => new Set(setIn(state.fullCells, `${number}.${shard}`))),
    fullShards: ({ number }, block) => turn(() => new Set(setIn(state.fullShards, `${number}.${block}`))),
    intent: (holder) => turn(() => state.intents.get(intentName(holder))),
    createIntent: (holder, candidate) =>
      turn(() => {
        const stored = state.intents.get(intentName(holder)) ?? candidate;
        state.intents.set(intentName(holder), stored);
        return stored;
      }),
    moveIntent: (holder, from, to) =>
      turn(() => {
        const stored = state.intents.get(intentName(holder));
        const itStandsWhereSeen = stored !== undefined && cellName(stored) === cellName(from);
        if (itStandsWhereSeen || stored === undefined) state.intents.set(intentName(holder), to);
        return state.intents.get(intentName(holder))!;
      }),
  };
};
