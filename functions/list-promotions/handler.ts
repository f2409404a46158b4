import { routes } from "../../shared/contract/routes.ts";
import { ok } from "../../shared/http/answer.ts";
import { apiHandler } from "../../shared/http/api-handler.ts";
import { promotions } from "../../shared/storage/promotions.ts";

/** GET /v1/promotions: a page of all promotions, or of those with one status. */
export const handler = apiHandler(routes.listPromotions, async ({ query }) =>
  ok(await promotions.list({ status: query.status, limit: query.limit, cursor: query.cursor })),
);
