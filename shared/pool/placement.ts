import { type Cell, type CellAddress, isFull, sameAddress, slotOf, tokenOf } from "./cell.ts";
import { healMark, markFull, pickAny } from "./fullness.ts";
import { cellsOf, type Generation } from "./generation.ts";
import { homeCells } from "./layout.ts";
import { generationNumbered, newestOf, type Pool, refresh } from "./pool.ts";
import type { NewHolder } from "./pool-store.ts";

/** A code and its holder: the position of the token in the cell is the code that was handed out. */
export interface Placement {
  readonly generation: Generation;
  readonly cell: Cell;
  readonly slot: number;
  /** The holder had the code before this call. */
  readonly repeated: boolean;
}

/** From this share of full first homes on, reading before writing is cheaper than a refused write. */
const readFirstFrom = 0.2;
/** Weight of the newest call in `homeFullRate`: about the last 20 calls count. */
const newestWeight = 0.05;

const rememberHome = (pool: Pool, full: boolean): void => {
  pool.homeFullRate += newestWeight * ((full ? 1 : 0) - pool.homeFullRate);
};

/**
 * The only step that hands out a code. Undefined means that the cell is full without the token, which it then stays
 * for ever: whoever passes a cell has passed it for good.
 */
const placeAt = async (
  pool: Pool,
  address: CellAddress,
  newcomer: NewHolder,
): Promise<Placement | undefined> => {
  const { outcome, cell } = await pool.store.append(address, [newcomer]);
  const generation = await generationNumbered(pool, address.generation);
  if (outcome === "appended" && isFull(cell)) await markFull(pool, generation, address);
  const slot = slotOf(cell, tokenOf(newcomer.holder));
  if (slot >= 0) return { generation, cell, slot, repeated: outcome === "refused" };
  await healMark(pool, generation, address);
  return undefined;
};

/**
 * The generation whose cells are home cells. Set once, at the first allocation, to the largest one published by then:
 * whoever loses that race reads the winner's. Undefined while nothing is published.
 */
export const baseOf = async (
  pool: Pool,
  generations: readonly Generation[],
): Promise<Generation | undefined> => {
  if (pool.base === undefined) {
    const published = generations.filter(({ status }) => status === "published");
    const [first, ...others] = published;
    const largest = others.reduce(
      (best, other) => (best && cellsOf(best) >= cellsOf(other) ? best : other),
      first,
    );
    // With every file withdrawn there may still be a base, and holders at home in it.
    pool.base = largest ? await pool.store.setBase(largest.number) : await pool.store.base();
  }
  return pool.base === undefined ? undefined : generationNumbered(pool, pool.base);
};

/** Placed at home, or whether both homes were passed. Not passed: nothing is published, so there is no home yet. */
const tryHomes = async (
  pool: Pool,
  generations: readonly Generation[],
  newcomer: NewHolder,
): Promise<Placement | "passed" | "not-passed"> => {
  const base = await baseOf(pool, generations);
  if (!base) return "not-passed";
  const homes = homeCells(newcomer.holder.customerId, base, pool.salt);

  const readFirst = pool.homeFullRate > readFirstFrom;
  const seen = readFirst ? await pool.store.readCells(homes) : [];
  const token = tokenOf(newcomer.holder);
  for (const [position, home] of homes.entries()) {
    const cell = seen[position];
    const slot = cell ? slotOf(cell, token) : -1;
    if (cell && slot >= 0) return { generation: base, cell, slot, repeated: true };
    // What was read may be old, but full without the token is for ever, and the append decides the rest. A cell that
    // a lagging replica does not know yet looks like one without codes: that one is not full, it is unknown.
    const wasSeenFull = cell !== undefined && cell.codes.length > 0 && isFull(cell);
    const placement = wasSeenFull ? undefined : await placeAt(pool, home, newcomer);
    if (position === 0) rememberHome(pool, placement === undefined);
    if (placement) return placement;
  }
  return "passed";
};

/**
 * Past the homes all calls for a token meet in one intent item: a placement happens only at the address stored there,
 * and the address moves only by compare-and-set after that cell was seen full without the token.
 * Undefined means that every cell of the given generations was seen full.
 */
const placeByIntent = async (
  pool: Pool,
  generations: readonly Generation[],
  newcomer: NewHolder,
): Promise<Placement | undefined> => {
  const { store } = pool;
  const { holder } = newcomer;
  const candidate = await pickAny(pool, generations);
  let current = candidate ? await store.createIntent(holder, candidate) : await store.intent(holder);
  while (current) {
    const placement = await placeAt(pool, current, newcomer);
    if (placement) return placement;
    const next = await pickAny(pool, generations);
    const stored = next ? await store.moveIntent(holder, current, next) : await store.intent(holder);
    // Somebody else may have moved it meanwhile: then follow, even when this call knows of no free cell itself.
    if (!next && (!stored || sameAddress(stored, current))) return undefined;
    current = stored;
  }
  return undefined;
};

/**
 * Gives the holder a code, or the one they hold; undefined when the pool is dry.
 *
 * ```
 *   homes ──full──> intent ──none free──> list of generations read again ──nothing new──> dry
 *     ^               ^                        │ new file
 *     └──not passed───┴────────passed──────────┘
 * ```
 * Nobody reaches the intent without having passed the homes: a pool can start empty, and a token placed past homes
 * that another call of the same token still tries would hold two codes.
 */
export const allocate = async (pool: Pool, newcomer: NewHolder): Promise<Placement | undefined> => {
  let generations = pool.generations;
  let passed = false;
  for (;;) {
    if (!passed) {
      const home = await tryHomes(pool, generations, newcomer);
      if (typeof home !== "string") return home;
      passed = home === "passed";
    }
    if (passed) {
      const placement = await placeByIntent(pool, generations, newcomer);
      if (placement) return placement;
    }
    const seen = newestOf(generations);
    generations = await refresh(pool);
    if (newestOf(generations) === seen) return undefined;
  }
};
