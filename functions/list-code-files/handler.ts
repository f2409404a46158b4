import { routes } from "../../shared/contract/routes.ts";
import { codeFileAnswers } from "../../shared/files/code-file-answer.ts";
import { ok } from "../../shared/http/answer.ts";
import { apiHandler } from "../../shared/http/api-handler.ts";
import { codeFiles } from "../../shared/storage/code-files.ts";
import { promocodes } from "../../shared/storage/promocodes.ts";

/** GET /v1/promocodes/{promocodeId}/files: a page of the promocode's files in the order in which they came. */
export const handler = apiHandler(routes.listCodeFiles, async ({ path, query, now }) => {
  await promocodes.get(path.promocodeId);

  const page = await codeFiles.list(path.promocodeId, { limit: query.limit, cursor: query.cursor });

  return ok({ ...page, items: await codeFileAnswers(path.promocodeId, page.items, now) });
});
