import { Failure } from "../../shared/domain/failure.ts";
import type { StoredPromocode } from "../../shared/domain/promocode.ts";
import { dropAudienceId, parseAudienceKey } from "../../shared/files/audience-objects.ts";
import { lastModifiedOf, type UploadedObject } from "../../shared/files/buckets.ts";
import { logger } from "../../shared/http/logger.ts";
import type { NewObject } from "../../shared/queues/object-created.ts";
import { countUnclaimedObject } from "../../shared/queues/unclaimed-objects.ts";
import { audiences, type StoredAudience } from "../../shared/storage/audiences.ts";
import { promocodes } from "../../shared/storage/promocodes.ts";

/**
 * The record of a new object: the announced one, or one made for a file that was dropped. An event that comes again
 * finds the same record. Undefined for what is no audience of a promocode.
 */
export const receiveObject = async ({ s3, eventTime }: NewObject): Promise<StoredAudience | undefined> => {
  const object = { objectKey: s3.object.key, versionId: s3.object.versionId ?? null };
  const meaning = parseAudienceKey(object.objectKey);
  switch (meaning.kind) {
    case "folder":
      return undefined;
    case "unknown":
      return unclaimed("An audience has a key that names no promocode", {});
    case "upload":
      return receiveUpload(meaning.audienceId, object);
    case "drop":
      return receiveDrop(meaning, object, eventTime);
  }
};

const receiveUpload = async (
  audienceId: string,
  object: UploadedObject,
): Promise<StoredAudience | undefined> => {
  const audience = await audiences.queueUpload(audienceId, object);
  if (!audience) return unclaimed("An audience was uploaded that nobody announced", { audienceId });
  if (audience.versionId === object.versionId) return audience;
  logger.info("A later upload of the same audience is ignored: the first one counts", { audienceId });
  return undefined;
};

const receiveDrop = async (
  { promocodeId, fileName }: { readonly promocodeId: string; readonly fileName: string },
  object: UploadedObject,
  eventTime: Date,
): Promise<StoredAudience | undefined> => {
  const promocode = await findPromocode(promocodeId);
  if (!promocode) return unclaimed("An audience was dropped for an unknown promocode", { promocodeId });
  const lastModified = await lastModifiedOf(object);
  // The id holds when the object was made. An event that comes again after it was deleted knows that no more.
  const known = lastModified ? undefined : await audiences.findOfObject(promocodeId, object);
  if (known) return known;
  const createdAt = lastModified ?? eventTime;
  return audiences.create({
    audienceId: dropAudienceId(object, createdAt),
    promocodeId,
    promotionId: promocode.promotionId,
    fileName,
    source: "drop",
    mode: "allocate",
    occurenceId: null,
    seriesId: null,
    actionId: null,
    ...object,
    createdAt: createdAt.toISOString(),
  });
};

const findPromocode = async (promocodeId: string): Promise<StoredPromocode | undefined> => {
  try {
    return await promocodes.get(promocodeId);
  } catch (error) {
    if (error instanceof Failure && error.code === "promocode-not-found") return undefined;
    throw error;
  }
};

const unclaimed = (message: string, about: Readonly<Record<string, string>>): undefined => {
  logger.error(message, about);
  countUnclaimedObject();
  return undefined;
};
