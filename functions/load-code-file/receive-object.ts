import { Failure } from "../../shared/domain/failure.ts";
import {
  dropFileId,
  lastModifiedOf,
  parseUploadsKey,
  type UploadedObject,
} from "../../shared/files/buckets.ts";
import { logger } from "../../shared/http/logger.ts";
import { countUnclaimedObject } from "../../shared/queues/unclaimed-objects.ts";
import { codeFiles, type StoredCodeFile } from "../../shared/storage/code-files.ts";
import { promocodes } from "../../shared/storage/promocodes.ts";
import type { NewObject } from "./messages.ts";

/**
 * The record of a new object: the announced one, or one made for a file that was dropped. An event that comes again
 * finds the same record. Undefined for what is no code file of a promocode.
 */
export const receiveObject = async ({ s3, eventTime }: NewObject): Promise<StoredCodeFile | undefined> => {
  const object = { objectKey: s3.object.key, versionId: s3.object.versionId ?? null };
  const meaning = parseUploadsKey(object.objectKey);
  switch (meaning.kind) {
    case "folder":
      return undefined;
    case "unknown":
      return unclaimed("An object has a key that names no promocode", {});
    case "upload":
      return receiveUpload(meaning, object);
    case "drop":
      return receiveDrop(meaning, object, eventTime);
  }
};

const receiveUpload = async (
  { promocodeId, fileId }: { readonly promocodeId: string; readonly fileId: string },
  object: UploadedObject,
): Promise<StoredCodeFile | undefined> => {
  const file = await codeFiles.queueUpload({ promocodeId, fileId }, object);
  if (!file) return unclaimed("An object was uploaded for no known file", { promocodeId, fileId });
  if (file.versionId === object.versionId) return file;
  logger.info("A later upload of the same file is ignored: the first one counts", { promocodeId, fileId });
  return undefined;
};

const receiveDrop = async (
  { promocodeId, fileName }: { readonly promocodeId: string; readonly fileName: string },
  object: UploadedObject,
  eventTime: Date,
): Promise<StoredCodeFile | undefined> => {
  if (!(await promocodeExists(promocodeId)))
    return unclaimed("A file was dropped for an unknown promocode", { promocodeId });
  const lastModified = await lastModifiedOf(object);
  // The id holds when the object was made. An event that comes again after it was deleted knows that no more.
  const known = lastModified ? undefined : await codeFiles.findOfObject(promocodeId, object);
  if (known) return known;
  const createdAt = lastModified ?? eventTime;
  return codeFiles.create({
    fileId: dropFileId(object, createdAt),
    promocodeId,
    fileName,
    source: "drop",
    ...object,
    createdAt: createdAt.toISOString(),
  });
};

const promocodeExists = async (promocodeId: string): Promise<boolean> => {
  try {
    await promocodes.get(promocodeId);
    return true;
  } catch (error) {
    if (error instanceof Failure && error.code === "promocode-not-found") return false;
    throw error;
  }
};

const unclaimed = (message: string, about: Readonly<Record<string, string>>): undefined => {
  logger.error(message, about);
  countUnclaimedObject();
  return undefined;
};
