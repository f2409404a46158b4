import packageJson from "../../package.json" with { type: "json" };
import { routes } from "../../shared/contract/routes.ts";
import { unavailable } from "../../shared/domain/failures.ts";
import { ok } from "../../shared/http/answer.ts";
import { apiHandler } from "../../shared/http/api-handler.ts";
import { loggable, logger } from "../../shared/http/logger.ts";
import { assertTableAnswers } from "../../shared/storage/table-health.ts";

/** Longest that the table may take, in milliseconds. */
const patienceMs = 2_000;

/** GET /health: 200 when the table answers. */
export const handler = apiHandler(routes.reportHealth, async ({ now }) => {
  await assertTableAnswers(patienceMs).catch((error: Error) => {
    logger.error("the table does not answer", { error: loggable(error) });
    throw unavailable();
  });

  return ok({ status: "ok", version: packageJson.version, time: now.toISOString() });
});
