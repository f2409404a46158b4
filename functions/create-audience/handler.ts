import { routes } from "../../shared/contract/routes.ts";
import { notPersonalized } from "../../shared/domain/failures.ts";
import { assertActive, assertNotArchived } from "../../shared/domain/promotion.ts";
import { audienceAnswer } from "../../shared/files/audience-answer.ts";
import { audienceUploadKey } from "../../shared/files/audience-objects.ts";
import { presignedUpload } from "../../shared/files/upload.ts";
import { created } from "../../shared/http/answer.ts";
import { apiHandler } from "../../shared/http/api-handler.ts";
import { audiences } from "../../shared/storage/audiences.ts";
import { promocodes } from "../../shared/storage/promocodes.ts";
import { promotions } from "../../shared/storage/promotions.ts";

/** POST /v1/promocodes/{promocodeId}/audiences: announces customers who get a code each, and says where to send them. */
export const handler = apiHandler(routes.createAudience, async ({ path, body, freshUlid, now }) => {
  const { promocodeId } = path;
  const { fileName, mode, occurenceId = null, seriesId = null, actionId = null } = body;
  const promocode = await promocodes.get(promocodeId);
  if (promocode.type !== "personalized") throw notPersonalized(promocodeId);
  const promotion = await promotions.get(promocode.promotionId);
  assertNotArchived(promotion);
  if (mode === "allocate") assertActive(promotion);

  const audience = await audiences.create({
    audienceId: `aud_${freshUlid}`,
    promocodeId,
    promotionId: promocode.promotionId,
    fileName,
    source: "upload",
    mode,
    occurenceId,
    seriesId,
    actionId,
    objectKey: null,
    versionId: null,
    createdAt: now.toISOString(),
  });
  const upload = await presignedUpload(audienceUploadKey(promocodeId, audience.audienceId), now);

  return created(
    { audience: await audienceAnswer(audience, now), upload },
    `/v1/audiences/${audience.audienceId}`,
  );
});
