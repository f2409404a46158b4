import { type Cell, type CellAddress, isFull, sameAddress, slotOf, tokenOf } from "./cell.ts";
import { pickAny } from "./fullness.ts";
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

/**
 * From this fill of homes on, a look at both of them (1 read unit) is cheaper than the writes that would be refused:
 * 15 % of first homes are full then.
 */
const lookFrom = 0.75;
/** Weight of the newest call in `homeFill`: about the last 5 calls count. */
const newestWeight = 0.2;

const rememberHome = (pool: Pool, { tokens, capacity }: Cell): void => {
  const fill = capacity === 0 ? 1 : tokens.length / capacity;
  pool.homeFill = pool.homeFill === undefined ? fill : pool.homeFill + newestWeight * (fill - pool.homeFill);
};

/**
 * The only step that hands out a code. No placement means that the cell is full without the token, which it then stays
 * for ever: whoever passes a cell has passed it for good. `seen`, the cell as a read found it, may spare the write.
 */
const placeAt = async (
  pool: Pool,
  address: CellAddress,
  newcomer: NewHolder,
  seen: Cell | undefined,
): Promise<{ readonly cell: Cell; readonly placement: Placement | undefined }> => {
  const token = tokenOf(newcomer.holder);
  // What was read may be old, but full without the token is for ever, and the append decides the rest. A cell that
  // a lagging replica does not know yet looks like one without codes: that one is not full, it is unknown.
  const wasSeenFull = seen !== undefined && seen.codes.length > 0 && isFull(seen);
  const wasSeenHolding = seen !== undefined && slotOf(seen, token) >= 0;
  const { outcome, cell } =
    wasSeenFull || wasSeenHolding
      ? { outcome: "refused", cell: seen }
      : await pool.store.append(address, [newcomer]);
  const generation = await generationNumbered(pool, address.generation);
  const slot = slotOf(cell, token);
  const placement = slot < 0 ? undefined : { generation, cell, slot, repeated: outcome === "refused" };
  return { cell, placement };
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

  // A process that knows nothing of the pool yet looks too: it may have been started for the rush on the last codes.
  const mayBeFull = pool.homeFill === undefined || pool.homeFill > lookFrom;
  const seen = mayBeFull ? await pool.store.readCells(homes) : [];
  for (const [position, home] of homes.entries()) {
    const { cell, placement } = await placeAt(pool, home, newcomer, seen[position]);
    if (position === 0) rememberHome(pool, cell);
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
    // Others have an eye on the same cell: in the last 1 % of a pool this look spares more refused writes than it costs.
    const [seen] = await store.readCells([current]);
    const { placement } = await placeAt(pool, current, newcomer, seen);
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
