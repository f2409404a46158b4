import { routes } from "../../shared/contract/routes.ts";
import { ok } from "../../shared/http/answer.ts";
import { apiHandler } from "../../shared/http/api-handler.ts";
import { promotions } from "../../shared/storage/promotions.ts";

/** PATCH /v1/promotions/{promotionId}: changes name, description or metadata. */
export const handler = apiHandler(routes.updatePromotion, async ({ path, body, now }) =>
  ok(await promotions.update(path.promotionId, body, now)),
);
