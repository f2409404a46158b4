import { routes } from "../../shared/contract/routes.ts";
import { codeFileAnswer } from "../../shared/files/code-file-answer.ts";
import { accepted } from "../../shared/http/answer.ts";
import { apiHandler } from "../../shared/http/api-handler.ts";
import { promocodes } from "../../shared/storage/promocodes.ts";
import { withdrawCodeFile } from "./withdraw-code-file.ts";

/** DELETE /v1/promocodes/{promocodeId}/files/{fileId}: takes the file's free codes out of the pool. */
export const handler = apiHandler(routes.withdrawCodeFile, async ({ path, now }) => {
  await promocodes.get(path.promocodeId);

  return accepted(await codeFileAnswer(await withdrawCodeFile(path, now), now));
});
