import type { AllocationContext } from "../../shared/domain/allocation-context.ts";
import type { PersonalizedPromocode } from "../../shared/domain/promocode.ts";
import type { Placement } from "../../shared/pool/placement.ts";

type Row = readonly string[];

/** A customer's row in the order of `audienceColumns`: what the allocation is, then where the code came from. */
const row = (
  { promocodeId, promotionId }: PersonalizedPromocode,
  customerId: string,
  { occurenceId, seriesId, actionId }: AllocationContext,
  given: { readonly fileId?: string; readonly uniqueCode?: string; readonly timestamp?: string },
  source: "pool" | "repeated" | "default" | "refused",
): Row => [
  customerId,
  promocodeId,
  promotionId,
  given.fileId ?? "",
  given.uniqueCode ?? "",
  given.timestamp ?? "",
  occurenceId ?? "",
  seriesId ?? "",
  actionId ?? "",
  source,
];

/** A code of the customer's own. `context` is what it was handed out for, the first time's for one given again. */
export const rowOfCode = (
  promocode: PersonalizedPromocode,
  customerId: string,
  { cell, slot, generation }: Placement,
  context: AllocationContext,
  source: "pool" | "repeated",
): Row => {
  const uniqueCode = cell.codes[slot];
  const stamp = cell.stamps[slot];
  if (uniqueCode === undefined || !stamp)
    throw new Error(`slot ${slot} of a cell of ${promocode.promocodeId} is taken but incomplete`);
  const timestamp = new Date(stamp.at).toISOString();
  return row(promocode, customerId, context, { fileId: generation.fileId, uniqueCode, timestamp }, source);
};

export const rowOfDefault = (
  promocode: PersonalizedPromocode,
  customerId: string,
  given: { readonly uniqueCode: string; readonly timestamp: string },
  context: AllocationContext,
): Row => row(promocode, customerId, context, given, "default");

/** No code: the pool is dry and set to refuse, or the promotion gives out none any more. */
export const rowOfRefusal = (
  promocode: PersonalizedPromocode,
  customerId: string,
  context: AllocationContext,
): Row => row(promocode, customerId, context, {}, "refused");
