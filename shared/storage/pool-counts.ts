import type { PoolCounts } from "../contract/promocodes.ts";
import type { GenerationNow } from "../domain/pool-level.ts";
import type { Generation } from "../pool/generation.ts";
import { type Counts, countsOf } from "./counts.ts";
import { generationsOf } from "./generations.ts";

/** The counts of a personalized promocode's pool. `now` is their time while nothing was counted yet. */
export const poolCounts = async (promocodeId: string, now: Date = new Date()): Promise<PoolCounts> => {
  const [generations, counts] = await Promise.all([generationsOf(promocodeId), countsOf(promocodeId)]);
  return sumOf(generations, counts, now);
};

/** A withdrawn file's free codes are gone: of its codes only those count that somebody holds. */
export const generationsNow = (
  generations: readonly Generation[],
  { allocatedByFile }: Counts,
): readonly GenerationNow[] =>
  generations.map(({ number, fileId, codes, status }) => {
    const held = Math.min(codes, allocatedByFile.get(fileId) ?? 0);
    const total = status === "published" ? codes : held;
    return { number, codes, total, available: total - held };
  });

export const sumOf = (generations: readonly Generation[], counts: Counts, now: Date): PoolCounts => {
  let total = 0;
  let available = 0;
  for (const generation of generationsNow(generations, counts)) {
    total += generation.total;
    available += generation.available;
  }
  return {
    total,
    allocated: total - available,
    available,
    defaultsGiven: counts.defaultsGiven,
    asOf: counts.countedAt ?? now.toISOString(),
  };
};
