import type { Placement } from "../../shared/pool/placement.ts";
import { startProcess } from "./start-process.ts";

/** A process that allocates as the audience job does: many at once, with hand-signed writes. */
export const aBulkJob = async (
  endpoint: string,
  promocodeId: string,
): Promise<{ allocateMany(customerIds: readonly string[]): Promise<readonly (Placement | undefined)[]> }> => {
  const { allocateMany, newPool, refresh, parseSalt, bulkPoolStore, promocodes } = await startProcess(
    endpoint,
    async () => ({
      ...(await import("../../shared/pool/bulk.ts")),
      ...(await import("../../shared/pool/pool.ts")),
      ...(await import("../../shared/pool/hash.ts")),
      ...(await import("../../shared/storage/bulk-pool-store.ts")),
      ...(await import("../../shared/storage/promocodes.ts")),
    }),
  );
  const promocode = await promocodes.get(promocodeId);
  if (promocode.type === "global") throw new Error(`${promocodeId} has no pool`);
  const pool = newPool({ store: bulkPoolStore(promocodeId), salt: parseSalt(promocode.salt) });
  await refresh(pool);
  return {
    allocateMany: (customerIds) => {
      const stamp = { at: Date.now(), contextId: "" };
      const newcomers = customerIds.map((customerId) => ({ holder: { customerId, trigger: null }, stamp }));
      return allocateMany(pool, newcomers, { readsFirst: true });
    },
  };
};
