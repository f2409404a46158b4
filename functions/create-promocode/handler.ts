import { routes } from "../../shared/contract/routes.ts";
import { newPromocode } from "../../shared/domain/new-promocode.ts";
import { created } from "../../shared/http/answer.ts";
import { apiHandler } from "../../shared/http/api-handler.ts";
import { promocodeAnswer } from "../../shared/storage/promocode-answer.ts";
import { promocodes } from "../../shared/storage/promocodes.ts";

/** POST /v1/promocodes: creates a promocode and assigns it to its promotion in one step. */
export const handler = apiHandler(routes.createPromocode, async ({ body, freshUlid, now }) => {
  const promocode = await promocodes.create(newPromocode(body, { freshUlid, now }), freshUlid);

  return created(await promocodeAnswer(promocode, now), `/v1/promocodes/${promocode.promocodeId}`);
});
