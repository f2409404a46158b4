import { routes } from "../../shared/contract/routes.ts";
import { notPersonalized } from "../../shared/domain/failures.ts";
import { assertNotArchived } from "../../shared/domain/promotion.ts";
import { uploadKey } from "../../shared/files/buckets.ts";
import { announcedFileAnswer } from "../../shared/files/code-file-answer.ts";
import { presignedUpload } from "../../shared/files/upload.ts";
import { created } from "../../shared/http/answer.ts";
import { apiHandler } from "../../shared/http/api-handler.ts";
import { codeFiles } from "../../shared/storage/code-files.ts";
import { promocodes } from "../../shared/storage/promocodes.ts";
import { promotions } from "../../shared/storage/promotions.ts";

/** POST /v1/promocodes/{promocodeId}/files: announces a code file and says where to send it. */
export const handler = apiHandler(routes.createCodeFile, async ({ path, body, freshUlid, now }) => {
  const { promocodeId } = path;
  const promocode = await promocodes.get(promocodeId);
  if (promocode.type !== "personalized") throw notPersonalized(promocodeId);
  assertNotArchived(await promotions.get(promocode.promotionId));

  const file = await codeFiles.create({
    fileId: `fil_${freshUlid}`,
    promocodeId,
    fileName: body.fileName,
    source: "upload",
    objectKey: null,
    versionId: null,
    createdAt: now.toISOString(),
  });
  const upload = await presignedUpload(uploadKey(promocodeId, file.fileId), now);

  return created(
    { file: await announcedFileAnswer(file, now), upload },
    `/v1/promocodes/${promocodeId}/files/${file.fileId}`,
  );
});
