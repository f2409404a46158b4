import type { Allocation } from "../contract/allocations.ts";
import { type AllocationContext, noContext } from "../domain/allocation-context.ts";
import type { PersonalizedPromocode } from "../domain/promocode.ts";
import { holderOf } from "../pool/cell.ts";
import type { Placement } from "../pool/placement.ts";

/** The allocation that a taken slot stands for. `contexts` holds at least the slot's own. */
export const allocationAt = (
  { promocodeId, promotionId }: PersonalizedPromocode,
  { cell, slot, generation, repeated }: Placement,
  contexts: ReadonlyMap<string, AllocationContext>,
): Allocation => {
  const token = cell.tokens[slot];
  const uniqueCode = cell.codes[slot];
  const stamp = cell.stamps[slot];
  if (token === undefined || uniqueCode === undefined || !stamp)
    throw new Error(`slot ${slot} of a cell of ${promocodeId} is taken but incomplete`);
  return {
    customerId: holderOf(token).customerId,
    promocodeId,
    promotionId,
    fileId: generation.fileId,
    uniqueCode,
    timestamp: new Date(stamp.at).toISOString(),
    ...(contexts.get(stamp.contextId) ?? noContext),
    source: "pool",
    repeated,
  };
};
