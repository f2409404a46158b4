import { routes } from "../../shared/contract/routes.ts";
import { ok } from "../../shared/http/answer.ts";
import { apiHandler } from "../../shared/http/api-handler.ts";
import { getExport } from "../../shared/storage/exports.ts";
import { answerOf } from "./answer.ts";

/** GET /v1/exports/{exportId}: how far an export is and, once it succeeded, where to download it. */
export const handler = apiHandler(routes.getExport, async ({ path, now }) => {
  const stored = await getExport(path.exportId, now);

  return ok(await answerOf(stored, now));
});
