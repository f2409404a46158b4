import { routes } from "../../shared/contract/routes.ts";
import { accepted } from "../../shared/http/answer.ts";
import { apiHandler } from "../../shared/http/api-handler.ts";
import { requestExport } from "../../shared/queues/request-export.ts";
import { codeFiles } from "../../shared/storage/code-files.ts";
import { promocodes } from "../../shared/storage/promocodes.ts";

/** POST /v1/promocodes/{promocodeId}/files/{fileId}/exports: asks for a CSV of who got which code of a file. */
export const handler = apiHandler(routes.exportCodeFile, async ({ path, body, freshUlid, now }) => {
  const promocode = await promocodes.get(path.promocodeId);
  const { fileId } = await codeFiles.get(path);

  const exportId = await requestExport({ promocode, fileId, ...body }, freshUlid, now);

  return accepted({ exportId, status: "queued" }, `/v1/exports/${exportId}`);
});
