import { idSchema } from "../contract/conventions.ts";
import { dropUlid, type UploadedObject } from "./buckets.ts";
import { objectPrefixes } from "./object-prefixes.ts";

/** Where an announced audience goes in the uploads bucket. The caller's file name is on the record only. */
export const audienceUploadKey = (promocodeId: string, audienceId: string): string =>
  `${objectPrefixes.audienceUploads}${promocodeId}/${audienceId}.csv`;

/** A result in the exports bucket. Whoever begins one gives it a key of its own, so an object that is there is complete. */
export const audienceResultKey = (audienceId: string, ulid: string): string =>
  `${objectPrefixes.audienceResults}${audienceId}/${ulid}.csv`;

const uploadPattern = new RegExp(`^${objectPrefixes.audienceUploads}[^/]+/(aud_[0-9A-Z]{26})\\.csv$`);
const dropPattern = new RegExp(`^${objectPrefixes.audienceDrops}([^/]+)/(.+)$`, "s");

/** What a key of the uploads bucket means to the audiences. */
export type AudienceKey =
  | { readonly kind: "upload"; readonly audienceId: string }
  | { readonly kind: "drop"; readonly promocodeId: string; readonly fileName: string }
  | { readonly kind: "folder" | "unknown" };

/** Reads a key, decoded. A key that ends with a slash is what consoles make to show a folder. */
export const parseAudienceKey = (key: string): AudienceKey => {
  if (key.endsWith("/")) return { kind: "folder" };
  const upload = uploadPattern.exec(key);
  if (upload) return { kind: "upload", audienceId: upload[1]! };
  const drop = dropPattern.exec(key);
  if (drop && idSchema.safeParse(drop[1]).success)
    return { kind: "drop", promocodeId: drop[1]!, fileName: drop[2]! };
  return { kind: "unknown" };
};

/** The id of an audience that was dropped. */
export const dropAudienceId = (object: UploadedObject, lastModified: Date): string =>
  `aud_${dropUlid(object, lastModified)}`;
