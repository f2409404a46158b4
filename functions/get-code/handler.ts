import { codeStatusOf } from "../../shared/allocation/code-status.ts";
import { routes } from "../../shared/contract/routes.ts";
import { codeNotFound } from "../../shared/domain/failures.ts";
import { ok } from "../../shared/http/answer.ts";
import { apiHandler } from "../../shared/http/api-handler.ts";
import { promocodes } from "../../shared/storage/promocodes.ts";

/** GET /v1/promocodes/{promocodeId}/codes/{uniqueCode}: what became of a unique code. */
export const handler = apiHandler(routes.getCode, async ({ path }) => {
  const promocode = await promocodes.get(path.promocodeId);
  if (promocode.type === "global") throw codeNotFound();
  return ok(await codeStatusOf(promocode, path.uniqueCode));
});
