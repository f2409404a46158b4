import { type Cell, type CellAddress, isFull, slotOf, tokenOf } from "./cell.ts";
import { cellsOf, type Generation } from "./generation.ts";
import { whoHasIntents } from "./held.ts";
import { homeCells } from "./layout.ts";
import { allocate, baseOf, type Placement } from "./placement.ts";
import { newestOf, type Pool, refresh } from "./pool.ts";
import type { NewHolder } from "./pool-store.ts";

/** Most calls of one bulk allocation that are under way at once. */
const inFlight = 64;
/** Customers of a dry pool whose cells are read together. */
const lookedAtOnce = 1_000;

/** Runs the tasks, at most `inFlight` at once. After a failure no task is begun; those under way end before it is thrown. */
const runAll = async (tasks: readonly (() => Promise<void>)[]): Promise<void> => {
  const rest = tasks.values();
  const failures: unknown[] = [];
  const worker = async () => {
    for (const task of rest) {
      if (failures.length > 0) return;
      await task().catch((error: unknown) => void failures.push(error));
    }
  };
  await Promise.all(Array.from({ length: Math.min(inFlight, tasks.length) }, worker));
  if (failures.length > 0) throw failures[0];
};

type Placements = Map<NewHolder, Placement>;

/** Those whose first home is the same cell share a write. */
interface Group {
  readonly home: CellAddress;
  readonly newcomers: readonly [NewHolder, ...NewHolder[]];
}

const nameOf = ({ generation, attempt, shard, cell }: CellAddress): string =>
  `${generation}.${attempt}.${shard}.${cell}`;

const groupByHome = (
  pool: Pool,
  base: Generation,
  newcomers: readonly NewHolder[],
): ReadonlyMap<string, Group> => {
  const groups = new Map<string, { home: CellAddress; newcomers: [NewHolder, ...NewHolder[]] }>();
  for (const newcomer of newcomers) {
    const [home] = homeCells(newcomer.holder.customerId, base, pool.salt);
    if (!home) continue;
    const name = nameOf(home);
    const known = groups.get(name);
    if (known) known.newcomers.push(newcomer);
    else groups.set(name, { home, newcomers: [newcomer] });
  }
  return groups;
};

const noteHeld = (
  placements: Placements,
  generation: Generation,
  newcomer: NewHolder,
  cell: Cell,
  repeated: boolean,
): boolean => {
  const slot = slotOf(cell, tokenOf(newcomer.holder));
  if (slot >= 0) placements.set(newcomer, { generation, cell, slot, repeated });
  return slot >= 0;
};

/** What was read may be old, but full is for ever. A cell that a lagging replica does not know yet has no codes. */
const wasSeenFull = (cell: Cell): boolean => cell.codes.length > 0 && isFull(cell);

/**
 * Gives the group slots of its home cell in as few writes as can be, as far as it has room. `seen` is the cell as it
 * was read. The others stay unplaced.
 */
const placeTogether = async (
  pool: Pool,
  base: Generation,
  { home, newcomers }: Group,
  seen: Cell | undefined,
  placements: Placements,
): Promise<void> => {
  let open = newcomers.filter((newcomer) => !(seen && noteHeld(placements, base, newcomer, seen, true)));
  if (seen && wasSeenFull(seen)) return;
  // Sealing lowers a capacity, crowded shards raise it by one or two: whatever comes back tells the real one.
  let capacity = seen?.capacity || Math.max(1, Math.floor(base.codes / cellsOf(base)));
  let taken = seen?.tokens.length ?? 0;
  for (;;) {
    const [first, ...others] = open.slice(0, Math.max(0, capacity - taken));
    if (!first) return;
    const waiting = [first, ...others] as const;
    const { outcome, cell } = await pool.store.append(home, waiting, capacity);
    for (const newcomer of open)
      noteHeld(placements, base, newcomer, cell, repeatedAfter(outcome, waiting, newcomer));
    open = open.filter((newcomer) => !placements.has(newcomer));
    capacity = cell.capacity;
    taken = cell.tokens.length;
  }
};

/** Whoever this write has put there is new; whoever was there before holds the code again. */
const repeatedAfter = (
  outcome: "appended" | "refused",
  waiting: readonly NewHolder[],
  newcomer: NewHolder,
): boolean => outcome === "refused" || !waiting.includes(newcomer);

/** True when every cell of every file that this process knows was seen full: only a new file can change that. */
const isKnownDry = ({ generations, closed }: Pool): boolean =>
  generations.every(({ number, status }) => status === "withdrawn" || closed.has(number));

const placeOne = async (pool: Pool, newcomer: NewHolder, placements: Placements): Promise<void> => {
  const placement = await allocate(pool, newcomer);
  if (placement) placements.set(newcomer, placement);
};

/** Single calls, side by side. Those that are left over once the pool is known to be dry are answered. */
const placeSingly = async (
  pool: Pool,
  newcomers: readonly NewHolder[],
  placements: Placements,
): Promise<readonly NewHolder[]> => {
  const left: NewHolder[] = [];
  await runAll(
    newcomers.map((newcomer) => async () => {
      if (isKnownDry(pool)) {
        left.push(newcomer);
        return;
      }
      await placeOne(pool, newcomer, placements);
    }),
  );
  return left;
};

/**
 * What a single call does with a dry pool, for many at once: whoever holds a code gets it again, whoever may still
 * find room is answered for a single call, for the others the pool is dry if no file has come by the time that their
 * homes were seen full and their intent was seen absent.
 */
const settleInDryPool = async (
  pool: Pool,
  newcomers: readonly NewHolder[],
  placements: Placements,
): Promise<readonly NewHolder[]> => {
  const before = newestOf(pool.generations);
  const base = await baseOf(pool, pool.generations);
  const toPlace: NewHolder[] = [];
  let passed: readonly NewHolder[] = newcomers;
  if (base) {
    const homes = new Map(
      newcomers.map((newcomer) => [newcomer, homeCells(newcomer.holder.customerId, base, pool.salt)]),
    );
    const cells = await cellsAt(pool, [...homes.values()].flat());
    passed = newcomers.filter((newcomer) => {
      const seen = homes.get(newcomer)!.map((home) => cells.get(nameOf(home))!);
      if (seen.some((cell) => noteHeld(placements, base, newcomer, cell, true))) return false;
      if (seen.every(wasSeenFull)) return true;
      toPlace.push(newcomer);
      return false;
    });
  }
  const holders = passed.map(({ holder }) => holder);
  const haveIntents = await whoHasIntents(pool.store, holders);
  const dry = passed.filter((newcomer, at) => {
    // Where the intent leads is a single call's business.
    if (haveIntents[at]) toPlace.push(newcomer);
    return !haveIntents[at];
  });
  const hasNewFile = newestOf(await refresh(pool)) > before;
  return hasNewFile ? [...toPlace, ...dry] : toPlace;
};

const cellsAt = async (
  { store }: Pool,
  addresses: readonly CellAddress[],
): Promise<ReadonlyMap<string, Cell>> => {
  const distinct = [...new Map(addresses.map((address) => [nameOf(address), address])).values()];
  if (distinct.length === 0) return new Map();
  return new Map((await store.readCells(distinct)).map((cell) => [nameOf(cell.address), cell]));
};

export interface BulkOptions {
  /**
   * Many of them hold a code already, or many cells are full: reads the homes first, a fifth of the price of a refused
   * write. @default false
   */
  readonly readsFirst?: boolean;
}

/**
 * Allocates to many holders by the rules of a single call; results in the caller's order. The same token twice is one
 * holder: the later entry is `repeated`. Undefined where the pool was dry.
 */
export const allocateMany = async (
  pool: Pool,
  newcomers: readonly NewHolder[],
  { readsFirst = false }: BulkOptions = {},
): Promise<readonly (Placement | undefined)[]> => {
  const firstByToken = new Map<string, NewHolder>();
  for (const newcomer of newcomers) {
    const token = tokenOf(newcomer.holder);
    if (!firstByToken.has(token)) firstByToken.set(token, newcomer);
  }
  const distinct = [...firstByToken.values()];
  const placements: Placements = new Map();

  const base = isKnownDry(pool) ? undefined : await baseOf(pool, pool.generations);
  if (base) {
    const groups = [...groupByHome(pool, base, distinct).values()].filter(
      ({ newcomers: group }) => readsFirst || group.length > 1,
    );
    const seen: ReadonlyMap<string, Cell> = readsFirst
      ? await cellsAt(
          pool,
          groups.map(({ home }) => home),
        )
      : new Map();
    await runAll(
      groups.map((group) => () => placeTogether(pool, base, group, seen.get(nameOf(group.home)), placements)),
    );
  }
  const unplaced = distinct.filter((newcomer) => !placements.has(newcomer));
  const left = await placeSingly(pool, unplaced, placements);
  for (let at = 0; at < left.length; at += lookedAtOnce) {
    const toPlace = await settleInDryPool(pool, left.slice(at, at + lookedAtOnce), placements);
    await runAll(toPlace.map((newcomer) => () => placeOne(pool, newcomer, placements)));
  }

  return newcomers.map((newcomer) => {
    const first = firstByToken.get(tokenOf(newcomer.holder));
    const placement = first && placements.get(first);
    return placement && first !== newcomer ? { ...placement, repeated: true } : placement;
  });
};
