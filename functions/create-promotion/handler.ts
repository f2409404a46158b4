import type { Promotion } from "../../shared/contract/promotions.ts";
import { routes } from "../../shared/contract/routes.ts";
import { created } from "../../shared/http/answer.ts";
import { apiHandler } from "../../shared/http/api-handler.ts";
import { promotions } from "../../shared/storage/promotions.ts";

/** POST /v1/promotions: creates a promotion, as a draft unless asked otherwise. */
export const handler = apiHandler(routes.createPromotion, async ({ body, freshUlid, now }) => {
  const promotion: Promotion = {
    ...body,
    promotionId: body.promotionId ?? `prm_${freshUlid}`,
    createdAt: now.toISOString(),
    updatedAt: now.toISOString(),
  };

  const stored = await promotions.create(promotion, freshUlid);

  return created(stored, `/v1/promotions/${stored.promotionId}`);
});
