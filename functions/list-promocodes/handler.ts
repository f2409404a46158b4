import { routes } from "../../shared/contract/routes.ts";
import { ok } from "../../shared/http/answer.ts";
import { apiHandler } from "../../shared/http/api-handler.ts";
import { promocodeAnswers } from "../../shared/storage/promocode-answer.ts";
import { promocodes } from "../../shared/storage/promocodes.ts";

/** GET /v1/promocodes: a page of all promocodes, of a promotion's, or the one with a global code. */
export const handler = apiHandler(routes.listPromocodes, async ({ query, now }) => {
  const { promotionId, code, limit, cursor } = query;
  const page = await promocodes.list({ promotionId, code, limit, cursor });

  return ok({ ...page, items: await promocodeAnswers(page.items, now) });
});
