import { routes } from "../../shared/contract/routes.ts";
import { ok } from "../../shared/http/answer.ts";
import { apiHandler } from "../../shared/http/api-handler.ts";
import { promotions } from "../../shared/storage/promotions.ts";

/** PATCH /v1/promotions/{promotionId}/activate: the promotion is active from the moment of the answer. */
export const handler = apiHandler(routes.activatePromotion, async ({ path, now }) =>
  ok(await promotions.setStatus(path.promotionId, "active", now)),
);
