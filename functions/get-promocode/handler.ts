import { routes } from "../../shared/contract/routes.ts";
import { ok } from "../../shared/http/answer.ts";
import { apiHandler } from "../../shared/http/api-handler.ts";
import { promocodeAnswer } from "../../shared/storage/promocode-answer.ts";
import { promocodes } from "../../shared/storage/promocodes.ts";

/** GET /v1/promocodes/{promocodeId}: the promocode with the counts of its pool. */
export const handler = apiHandler(routes.getPromocode, async ({ path, now }) =>
  ok(await promocodeAnswer(await promocodes.get(path.promocodeId), now)),
);
