import { routes } from "../../shared/contract/routes.ts";
import { ok } from "../../shared/http/answer.ts";
import { apiHandler } from "../../shared/http/api-handler.ts";
import { promotions } from "../../shared/storage/promotions.ts";

/** PATCH /v1/promotions/{promotionId}/deactivate: the promotion is deactivated from the moment of the answer. */
export const handler = apiHandler(routes.deactivatePromotion, async ({ path, now }) =>
  ok(await promotions.setStatus(path.promotionId, "deactivated", now)),
);
