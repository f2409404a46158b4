import { routes } from "../../shared/contract/routes.ts";
import { audienceAnswer } from "../../shared/files/audience-answer.ts";
import { ok } from "../../shared/http/answer.ts";
import { apiHandler } from "../../shared/http/api-handler.ts";
import { audiences } from "../../shared/storage/audiences.ts";

/** GET /v1/audiences/{audienceId}: how far an audience is and, once there is one, where its result is. */
export const handler = apiHandler(routes.getAudience, async ({ path, now }) => {
  const audience = await audiences.get(path.audienceId, now);

  return ok(await audienceAnswer(audience, now));
});
