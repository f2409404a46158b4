import { routes } from "../../shared/contract/routes.ts";
import { codeFileAnswer } from "../../shared/files/code-file-answer.ts";
import { ok } from "../../shared/http/answer.ts";
import { apiHandler } from "../../shared/http/api-handler.ts";
import { codeFiles } from "../../shared/storage/code-files.ts";
import { promocodes } from "../../shared/storage/promocodes.ts";

/** GET /v1/promocodes/{promocodeId}/files/{fileId}: how far the file is, what it brought and what was refused. */
export const handler = apiHandler(routes.getCodeFile, async ({ path, now }) => {
  await promocodes.get(path.promocodeId);

  return ok(await codeFileAnswer(await codeFiles.get(path), now));
});
