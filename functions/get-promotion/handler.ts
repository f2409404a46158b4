import { routes } from "../../shared/contract/routes.ts";
import { ok } from "../../shared/http/answer.ts";
import { apiHandler } from "../../shared/http/api-handler.ts";
import { promotions } from "../../shared/storage/promotions.ts";

/** GET /v1/promotions/{promotionId} */
export const handler = apiHandler(routes.getPromotion, async ({ path }) =>
  ok(await promotions.get(path.promotionId)),
);
