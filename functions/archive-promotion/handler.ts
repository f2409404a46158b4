import { routes } from "../../shared/contract/routes.ts";
import { ok } from "../../shared/http/answer.ts";
import { apiHandler } from "../../shared/http/api-handler.ts";
import { promotions } from "../../shared/storage/promotions.ts";

/** DELETE /v1/promotions/{promotionId}: the promotion is archived from the moment of the answer. */
export const handler = apiHandler(routes.archivePromotion, async ({ path, now }) =>
  ok(await promotions.setStatus(path.promotionId, "archived", now)),
);
