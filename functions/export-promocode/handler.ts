import { routes } from "../../shared/contract/routes.ts";
import { accepted } from "../../shared/http/answer.ts";
import { apiHandler } from "../../shared/http/api-handler.ts";
import { requestExport } from "../../shared/queues/request-export.ts";
import { promocodes } from "../../shared/storage/promocodes.ts";

/** POST /v1/promocodes/{promocodeId}/exports: asks for a CSV of who got which code of a promocode. */
export const handler = apiHandler(routes.exportPromocode, async ({ path, body, freshUlid, now }) => {
  const promocode = await promocodes.get(path.promocodeId);

  const exportId = await requestExport({ promocode, fileId: null, ...body }, freshUlid, now);

  return accepted({ exportId, status: "queued" }, `/v1/exports/${exportId}`);
});
