import { routes } from "../../shared/contract/routes.ts";
import { created } from "../../shared/http/answer.ts";
import { apiHandler } from "../../shared/http/api-handler.ts";
import { promotions } from "../../shared/storage/promotions.ts";

/** POST /v1/promotions/{promotionId}/duplicate: a new draft with the same name, description and metadata. */
export const handler = apiHandler(routes.duplicatePromotion, async ({ path, freshUlid, now }) => {
  const original = await promotions.get(path.promotionId);

  const copy = await promotions.create(
    {
      ...original,
      promotionId: `prm_${freshUlid}`,
      status: "draft",
      createdAt: now.toISOString(),
      updatedAt: now.toISOString(),
    },
    freshUlid,
  );

  return created(copy, `/v1/promotions/${copy.promotionId}`);
});
