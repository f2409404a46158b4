import { routes } from "../../shared/contract/routes.ts";
import { audienceAnswer } from "../../shared/files/audience-answer.ts";
import { ok } from "../../shared/http/answer.ts";
import { apiHandler } from "../../shared/http/api-handler.ts";
import { audiencesOfPromocode } from "../../shared/storage/audiences-of-promocode.ts";
import { promocodes } from "../../shared/storage/promocodes.ts";

/** GET /v1/promocodes/{promocodeId}/audiences: a page of the promocode's audiences, newest first. */
export const handler = apiHandler(routes.listAudiences, async ({ path, query, now }) => {
  await promocodes.get(path.promocodeId);

  const page = await audiencesOfPromocode(
    path.promocodeId,
    { limit: query.limit, cursor: query.cursor },
    now,
  );

  return ok({ ...page, items: await Promise.all(page.items.map((item) => audienceAnswer(item, now))) });
});
