import { type Cell, type CellAddress, isFull, slotOf, tokenOf } from "./cell.ts";
import { markFull } from "./fullness.ts";
import { cellsOf, type Generation } from "./generation.ts";
import { homeCells } from "./layout.ts";
import { allocate, baseOf, type Placement } from "./placement.ts";
import type { Pool } from "./pool.ts";
import type { NewHolder } from "./pool-store.ts";

/** Most calls of one bulk allocation that are under way at once. */
const inFlight = 64;

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

type Group = readonly [NewHolder, ...NewHolder[]];

/** Those whose first home is the same cell share a write. */
const groupByHome = (
  pool: Pool,
  base: Generation,
  newcomers: readonly NewHolder[],
): Map<string, { home: CellAddress; group: [NewHolder, ...NewHolder[]] }> => {
  const groups = new Map<string, { home: CellAddress; group: [NewHolder, ...NewHolder[]] }>();
  for (const newcomer of newcomers) {
    const [home] = homeCells(newcomer.holder.customerId, base, pool.salt);
    if (!home) continue;
    const name = `${home.shard}.${home.cell}`;
    const known = groups.get(name);
    if (known) known.group.push(newcomer);
    else groups.set(name, { home, group: [newcomer] });
  }
  return groups;
};

/** The slots that the group got in one write of their home cell, as far as it has room. The others stay unplaced. */
const placeTogether = async (
  pool: Pool,
  base: Generation,
  home: CellAddress,
  group: Group,
): Promise<ReadonlyMap<NewHolder, Placement>> => {
  const placements = new Map<NewHolder, Placement>();
  const note = (newcomer: NewHolder, cell: Cell, repeated: boolean) => {
    const slot = slotOf(cell, tokenOf(newcomer.holder));
    if (slot >= 0) placements.set(newcomer, { generation: base, cell, slot, repeated });
  };
  // Sealing lowers a capacity, crowded shards raise it by one or two: a refusal tells the real one.
  let capacity = Math.floor(base.codes / cellsOf(base));
  let waiting: readonly NewHolder[] = group.slice(0, Math.max(1, capacity));
  while (waiting.length > 0) {
    const [first, ...others] = waiting;
    if (!first) break;
    const { outcome, cell } = await pool.store.append(home, [first, ...others], capacity);
    for (const newcomer of waiting) note(newcomer, cell, outcome === "refused");
    if (outcome === "appended") {
      if (isFull(cell)) await markFull(pool, base, home);
      break;
    }
    capacity = cell.capacity;
    waiting = group
      .filter((newcomer) => !placements.has(newcomer))
      .slice(0, Math.max(0, capacity - cell.tokens.length));
  }
  return placements;
};

/**
 * Allocates to many holders by the rules of a single call; results in the caller's order. The same token twice is one
 * holder: the later entry is `repeated`. Undefined where the pool was dry.
 */
export const allocateMany = async (
  pool: Pool,
  newcomers: readonly NewHolder[],
): Promise<readonly (Placement | undefined)[]> => {
  const firstByToken = new Map<string, NewHolder>();
  for (const newcomer of newcomers) {
    const token = tokenOf(newcomer.holder);
    if (!firstByToken.has(token)) firstByToken.set(token, newcomer);
  }
  const placements = new Map<NewHolder, Placement | undefined>();
  const base = await baseOf(pool, pool.generations);
  const distinct = [...firstByToken.values()];

  const placeOne = async (newcomer: NewHolder) => {
    placements.set(newcomer, await allocate(pool, newcomer));
  };
  const placeGroup = async ({ home, group }: { home: CellAddress; group: Group }) => {
    if (base && group.length > 1) {
      for (const [newcomer, placement] of await placeTogether(pool, base, home, group))
        placements.set(newcomer, placement);
    }
    for (const newcomer of group) if (!placements.has(newcomer)) await placeOne(newcomer);
  };
  await runAll(
    base
      ? [...groupByHome(pool, base, distinct).values()].map((grouped) => () => placeGroup(grouped))
      : distinct.map((newcomer) => () => placeOne(newcomer)),
  );

  return newcomers.map((newcomer) => {
    const first = firstByToken.get(tokenOf(newcomer.holder));
    const placement = first && placements.get(first);
    return placement && first !== newcomer ? { ...placement, repeated: true } : placement;
  });
};
