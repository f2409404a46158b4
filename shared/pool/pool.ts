import type { Generation } from "./generation.ts";
import type { Salt } from "./hash.ts";
import type { PoolStore } from "./pool-store.ts";

/**
 * A promocode's pool as one process knows it. All that it remembers may lag behind the store and is safe to lose:
 * generations are only added, a closed generation never opens again, a base never changes.
 */
export interface Pool {
  readonly store: PoolStore;
  readonly salt: Salt;
  /** Uniform in [0, 1); given so that the model checker can replay a run. */
  readonly random: () => number;
  generations: readonly Generation[];
  base: number | undefined;
  /** Numbers of generations in which every cell was seen full. */
  readonly closed: Set<number>;
  /** How full the homes of recent calls were, 0 to 1, newest weighted most; undefined before the first call. */
  homeFill: number | undefined;
}

export interface PoolKnowledge {
  readonly store: PoolStore;
  readonly salt: Salt;
  readonly random?: () => number;
  readonly generations?: readonly Generation[];
  readonly base?: number | undefined;
}

export const newPool = ({
  store,
  salt,
  random = Math.random,
  generations = [],
  base,
}: PoolKnowledge): Pool => ({
  store,
  salt,
  random,
  generations,
  base,
  closed: new Set(),
  homeFill: undefined,
});

export const newestOf = (generations: readonly Generation[]): number => generations.at(-1)?.number ?? 0;

/** Reads the list of generations again. Concurrent calls may answer in any order: the longer list stays. */
export const refresh = async (pool: Pool): Promise<readonly Generation[]> => {
  const generations = await pool.store.generations();
  if (newestOf(generations) >= newestOf(pool.generations)) pool.generations = generations;
  return generations;
};

/** The generation of this number; the list is read again when this process does not know it yet. */
export const generationNumbered = async (pool: Pool, number: number): Promise<Generation> => {
  const known = pool.generations.find((generation) => generation.number === number);
  if (known) return known;
  const found = (await refresh(pool)).find((generation) => generation.number === number);
  if (!found) throw new Error(`generation ${number} is named by an item of the pool but does not exist`);
  return found;
};
