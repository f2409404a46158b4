import { routes } from "../../shared/contract/routes.ts";
import { ok } from "../../shared/http/answer.ts";
import { apiHandler } from "../../shared/http/api-handler.ts";
import { auditPage } from "../../shared/storage/audit-page.ts";

/** GET /v1/audit: a page of who changed what, newest first. */
export const handler = apiHandler(routes.listAuditEntries, async ({ query, now }) =>
  ok(await auditPage(query, now)),
);
