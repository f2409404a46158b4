import { routes } from "../../shared/contract/routes.ts";
import { ok } from "../../shared/http/answer.ts";
import { apiHandler } from "../../shared/http/api-handler.ts";
import { erasureAnswer } from "../../shared/storage/erasure-answer.ts";
import { erasures } from "../../shared/storage/erasures.ts";

/** GET /v1/erasures/{erasureId}: how far an erasure is. */
export const handler = apiHandler(routes.getErasure, async ({ path, now }) =>
  ok(erasureAnswer(await erasures.get(path.erasureId, now))),
);
