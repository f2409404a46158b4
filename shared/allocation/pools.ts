import type { PersonalizedPromocode } from "../domain/promocode.ts";
import { parseSalt } from "../pool/hash.ts";
import { newestOf, newPool, type Pool, refresh } from "../pool/pool.ts";
import { LeastRecentlyUsed } from "../storage/least-recently-used.ts";
import { dynamoPoolStore } from "../storage/pool-store.ts";

/** Pools whose generations this process remembers. */
const rememberedPools = 1_000;
const poolByPromocode = new LeastRecentlyUsed<string, Pool>(rememberedPools);

/** The promocode's pool, knowing every file that was published when the promocode was read. */
export const poolOf = async (promocode: PersonalizedPromocode): Promise<Pool> => {
  const { promocodeId, salt, base, lastGeneration } = promocode;
  const pool =
    poolByPromocode.get(promocodeId) ??
    newPool({ store: dynamoPoolStore(promocodeId), salt: parseSalt(salt) });
  poolByPromocode.set(promocodeId, pool);
  pool.base ??= base;
  if (newestOf(pool.generations) < lastGeneration) await refresh(pool);
  return pool;
};
