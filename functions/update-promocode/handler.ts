import { routes } from "../../shared/contract/routes.ts";
import { ok } from "../../shared/http/answer.ts";
import { apiHandler } from "../../shared/http/api-handler.ts";
import { promocodeAnswer } from "../../shared/storage/promocode-answer.ts";
import { promocodes } from "../../shared/storage/promocodes.ts";

/** PATCH /v1/promocodes/{promocodeId}: changes how a personalized promocode gives out its codes. */
export const handler = apiHandler(routes.updatePromocode, async ({ path, body, now }) =>
  ok(await promocodeAnswer(await promocodes.update(path.promocodeId, body.uniqueCodes, now), now)),
);
