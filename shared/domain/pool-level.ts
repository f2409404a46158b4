import type { UniqueCodes } from "../contract/promocodes.ts";

/** What is told of a pool once, and again only after a refill has lifted the pool above it. */
export const poolLevels = ["low-by-count", "low-by-percent", "dry", "defaults"] as const;
export type PoolLevel = (typeof poolLevels)[number];

/** What was told of a pool so far. */
export interface ToldOfPool {
  /** What holds, as far as it was told. */
  readonly levels: readonly PoolLevel[];
  /** Number of the newest generation when that was written. */
  readonly generation: number;
  /** Default codes given when the pool was last seen refilled: more than these were given since it ran dry. */
  readonly defaultsGiven: number;
}

/** A pool at one moment. */
export interface PoolNow {
  readonly uniqueCodes: Pick<UniqueCodes, "lowPoolThreshold" | "lowPoolPercent">;
  /** In the order of publication. */
  readonly generations: readonly GenerationNow[];
  readonly defaultsGiven: number;
}

export interface GenerationNow {
  readonly number: number;
  /** Codes that it brought. */
  readonly codes: number;
  /** Of these, codes that can still be given out; none of a withdrawn one. */
  readonly available: number;
  /** All that count as the pool's: of a withdrawn one only those that somebody holds. */
  readonly total: number;
}

interface Stock {
  readonly available: number;
  readonly total: number;
}

export interface NewsOfPool {
  /** To be told now. */
  readonly news: readonly PoolLevel[];
  readonly told: ToldOfPool;
}

export const nothingTold: ToldOfPool = { levels: [], generation: 0, defaultsGiven: 0 };

/**
 * What there is to tell of the pool, and what is told then; undefined when nothing changed. A refill counts even if it
 * is used up by now: a file that came since the last word had all its codes at one time.
 *
 * ```
 *   available ──┐                     ┌── refill
 *               └─┐ threshold ········│········└─┐······
 *        armed    └┐ told             │ armed     └┐ told again
 *                  └── 0: dry, told ──┘            └─
 * ```
 */
export const newsOfPool = (told: ToldOfPool, pool: PoolNow): NewsOfPool | undefined => {
  const now = stockOf(pool.generations);
  const refills = pool.generations.filter(({ number }) => number > told.generation);
  const peaks = refills.map((refill) => peakAt(refill, pool.generations));
  const wasLifted = (level: PoolLevel) => ![now, ...peaks].every((stock) => holds(level, stock, pool, told));

  const rearmed = told.levels.filter(wasLifted);
  const stillTold = told.levels.filter((level) => !rearmed.includes(level));
  const news = poolLevels.filter((level) => !stillTold.includes(level) && holds(level, now, pool, told));
  if (news.length === 0 && rearmed.length === 0) return undefined;

  const isRefilled = now.available > 0 && (rearmed.includes("dry") || rearmed.includes("defaults"));
  return {
    news,
    told: {
      levels: [...stillTold, ...news],
      generation: pool.generations.at(-1)?.number ?? 0,
      defaultsGiven: isRefilled ? pool.defaultsGiven : told.defaultsGiven,
    },
  };
};

const stockOf = (generations: readonly GenerationNow[]): Stock => ({
  available: generations.reduce((sum, { available }) => sum + available, 0),
  total: generations.reduce((sum, { total }) => sum + total, 0),
});

/** The least that the pool had when the refill was published: codes that are free now were free then. */
const peakAt = (refill: GenerationNow, generations: readonly GenerationNow[]): Stock => {
  const before = stockOf(generations.filter(({ number }) => number < refill.number));
  return { available: before.available + refill.codes, total: before.total + refill.codes };
};

const holds = (
  level: PoolLevel,
  { available, total }: Stock,
  { uniqueCodes, generations, defaultsGiven }: PoolNow,
  told: ToldOfPool,
): boolean => {
  const { lowPoolThreshold, lowPoolPercent } = uniqueCodes;
  // A pool that never had a file is not low: nobody has filled it yet.
  const wasFilled = generations.length > 0;
  switch (level) {
    case "low-by-count":
      return wasFilled && lowPoolThreshold !== undefined && available <= lowPoolThreshold;
    case "low-by-percent":
      return wasFilled && lowPoolPercent !== undefined && available * 100 <= lowPoolPercent * total;
    case "dry":
      return wasFilled && available === 0;
    case "defaults":
      return available === 0 && defaultsGiven > told.defaultsGiven;
  }
};
