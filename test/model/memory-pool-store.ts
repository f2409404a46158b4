import type { Cell, CellAddress, Holder } from "../../shared/pool/cell.ts";
import { holderOf, tokenOf, tombstone } from "../../shared/pool/cell.ts";
import type { ErasureStore } from "../../shared/pool/erasure.ts";
import type { Generation } from "../../shared/pool/generation.ts";
import type { AppendResult, NewHolder, PoolStore } from "../../shared/pool/pool-store.ts";
import { shardsPerBlock } from "../../shared/pool/pool-store.ts";
import type { Process } from "./simulation.ts";

interface CellState {
  capacity: number;
  readonly codes: readonly string[];
  readonly holders: NewHolder[];
  /** How the cell was after each of its changes, and when: a lagging read answers one of these. */
  readonly past: { readonly at: number; readonly capacity: number; readonly holders: readonly NewHolder[] }[];
}

/** A pool in memory: what DynamoDB would hold. */
export class PoolState {
  /** Counts the operations: the model's clock. */
  now = 0;
  readonly generations: Generation[] = [];
  base: number | undefined;
  readonly cells = new Map<string, CellState>();
  readonly intents = new Map<string, CellAddress>();
  /** When each of them was stored, or stored anew. */
  readonly intentsSince = new Map<string, number>();
  /** The cells that removed intents named. */
  readonly traces: {
    readonly customerId: string;
    readonly erasureId: string;
    readonly address: CellAddress;
  }[] = [];
  readonly fullCells = new Map<string, Set<number>>();
  readonly fullShards = new Map<string, Set<number>>();
}

export const cellName = ({ generation, shard, cell }: CellAddress): string =>
  `${generation}.${shard}.${cell}`;

/** Keeps how the cell is now, for reads that lag. */
export const remember = (state: PoolState, cell: CellState): void => {
  cell.past.push({ at: state.now, capacity: cell.capacity, holders: [...cell.holders] });
};

const setIn = (sets: Map<string, Set<number>>, name: string): Set<number> => {
  const set = sets.get(name) ?? new Set<number>();
  sets.set(name, set);
  return set;
};

/** Most operations that an eventually consistent read lags behind. */
export const longestLag = 30;

/** Whoever was erased, as the model's cells hold them: their slot stays taken. */
const erased = ({ stamp }: NewHolder): NewHolder => ({ holder: holderOf(tombstone), stamp });

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
    return {
      address,
      capacity: then.capacity,
      codes: cell.codes,
      tokens: then.holders.map(({ holder }) => tokenOf(holder)),
      stamps: then.holders.map(({ stamp }) => stamp),
    };
  };
  const read = (address: CellAddress): Cell => readAt(address, state.now);
  const answer = (outcome: AppendResult["outcome"], address: CellAddress): AppendResult => ({
    outcome,
    cell: read(address),
  });
  const intentName = (holder: Holder) => tokenOf(holder);
  const storeIntent = (name: string, address: CellAddress) => {
    if (!state.intents.has(name)) state.intentsSince.set(name, state.now);
    state.intents.set(name, address);
  };

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
        storeIntent(intentName(holder), stored);
        return stored;
      }),
    moveIntent: (holder, from, to) =>
      turn(() => {
        const stored = state.intents.get(intentName(holder));
        const itStandsWhereSeen = stored !== undefined && cellName(stored) === cellName(from);
        if (itStandsWhereSeen || stored === undefined) storeIntent(intentName(holder), to);
        return state.intents.get(intentName(holder))!;
      }),
  };
};

/** What one erasure of a customer sees of the same pool. */
export const memoryErasureStore = (
  state: PoolState,
  process: Process,
  { erasureId, customerId }: { readonly erasureId: string; readonly customerId: string },
): ErasureStore & { readonly forgetTraces: () => Promise<void> } => {
  const turn = <Result>(operation: () => Result): Promise<Result> =>
    process.turn(() => {
      state.now += 1;
      return operation();
    });
  const isTheirs = (name: string) => holderOf(name).customerId === customerId;
  /** One at a time, so that there are pages. */
  async function* pages<Item>(items: () => readonly Item[]): AsyncGenerator<readonly Item[]> {
    for (const item of await turn(items)) yield [item];
  }

  return {
    cells: (addresses) =>
      turn(() =>
        addresses.map((address) => {
          const { capacity, codes, holders } = state.cells.get(cellName(address))!;
          const tokens = holders.map(({ holder }) => tokenOf(holder));
          return { address, capacity, codes, tokens, stamps: holders.map(({ stamp }) => stamp) };
        }),
      ),
    intents: () =>
      pages(() =>
        [...state.intents]
          .filter(([name]) => isTheirs(name))
          .map(([name, address]) => ({ holder: holderOf(name), address })),
      ),
    intent: (holder) => turn(() => state.intents.get(tokenOf(holder))),
    traces: () =>
      pages(() =>
        state.traces.filter((trace) => trace.customerId === customerId).map(({ address }) => address),
      ),
    leaveTraces: (addresses) =>
      turn(() => {
        for (const address of addresses) state.traces.push({ customerId, erasureId, address });
      }),
    forgetTraces: () =>
      turn(() => {
        const others = state.traces.filter((trace) => trace.erasureId !== erasureId);
        state.traces.splice(0, Infinity, ...others);
      }),
    overwrite: ({ address, slot, token }) =>
      turn(() => {
        const cell = state.cells.get(cellName(address))!;
        const held = cell.holders[slot];
        if (!held || tokenOf(held.holder) !== token) return;
        cell.holders[slot] = erased(held);
        remember(state, cell);
      }),
    removeIntent: ({ holder, address }) =>
      turn(() => {
        const stored = state.intents.get(tokenOf(holder));
        if (stored && cellName(stored) === cellName(address)) state.intents.delete(tokenOf(holder));
      }),
  };
};
