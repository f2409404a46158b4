import type { PoolCounts } from "../contract/promocodes.ts";
import type { Generation } from "../pool/generation.ts";
import { type Counts, countsOf } from "./counts.ts";
import { generationsOf } from "./generations.ts";

/** The counts of a personalized promocode's pool. `now` is their time while nothing was counted yet. */
export const poolCounts = async (promocodeId: string, now: Date = new Date()): Promise<PoolCounts> => {
  const [generations, counts] = await Promise.all([generationsOf(promocodeId), countsOf(promocodeId)]);
  return sumOf(generations, counts, now);
};

/** A withdrawn file's free codes are gone: of its codes only those count that somebody holds. */
export const sumOf = (generations: readonly Generation[], counts: Counts, now: Date): PoolCounts => {
  let total = 0;
  let allocated = 0;
  for (const { fileId, codes, status } of generations) {
    const held = Math.min(codes, counts.allocatedByFile.get(fileId) ?? 0);
    allocated += held;
    total += status === "published" ? codes : held;
  }
  return {
    total,
    allocated,
    available: total - allocated,
    defaultsGiven: counts.defaultsGiven,
    asOf: counts.countedAt ?? now.toISOString(),
  };
};
