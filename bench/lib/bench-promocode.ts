import { ulid } from "ulid";
import type { PersonalizedPromocode } from "../../shared/domain/promocode.ts";

/** A promocode of an active promotion, its pool empty, in the bench table. */
export const aPromocode = async (): Promise<PersonalizedPromocode> => {
  const { promotions } = await import("../../shared/storage/promotions.ts");
  const { promocodes } = await import("../../shared/storage/promocodes.ts");
  const now = "2026-11-23T00:00:00.000Z";
  // As long as in production: the ids are part of the keys that cells pay for.
  const promotionId = `prm_${ulid()}`;
  const promocodeId = `pcd_${ulid()}`;
  await promotions.create(
    { promotionId, name: "Bench", status: "active", createdAt: now, updatedAt: now },
    promotionId,
  );
  const promocode: PersonalizedPromocode = {
    promocodeId,
    promotionId,
    type: "personalized",
    uniqueCodes: { allocationMethod: "Consistent", defaultCode: "DEFAULT", onExhausted: "default" },
    salt: "5f1d0c1ab3e94c2d",
    base: undefined,
    lastGeneration: 0,
    createdAt: now,
    updatedAt: now,
  };
  await promocodes.create(promocode, promocodeId);
  return promocode;
};
