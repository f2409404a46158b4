import { createHash } from "node:crypto";
import { GetObjectCommand, HeadObjectCommand, type S3ServiceException } from "@aws-sdk/client-s3";
import { encodeTime } from "ulid";
import { idSchema } from "../contract/conventions.ts";
import { objectGone } from "../domain/file-refused.ts";
import { environment } from "../environment.ts";
import { objectPrefixes } from "./object-prefixes.ts";
import { s3 } from "./s3-client.ts";

/** An object of the uploads bucket; the version is null where the bucket keeps none. */
export interface UploadedObject {
  readonly objectKey: string;
  readonly versionId: string | null;
}

/** Where an announced upload goes. The caller's file name is on the record only. */
export const uploadKey = (promocodeId: string, fileId: string): string =>
  `${objectPrefixes.uploads}${promocodeId}/${fileId}.csv`;

const uploadPattern = new RegExp(`^${objectPrefixes.uploads}([^/]+)/(fil_[0-9A-Z]{26})\\.csv$`);
const dropPattern = new RegExp(`^${objectPrefixes.drops}([^/]+)/(.+)$`, "s");

/** What a key of the uploads bucket stands for. */
export type UploadsKey =
  | { readonly kind: "upload"; readonly promocodeId: string; readonly fileId: string }
  | { readonly kind: "drop"; readonly promocodeId: string; readonly fileName: string }
  | { readonly kind: "folder" | "unknown" };

/** Reads a key, decoded. A key that ends with a slash is what consoles make to show a folder. */
export const parseUploadsKey = (key: string): UploadsKey => {
  if (key.endsWith("/")) return { kind: "folder" };
  const upload = uploadPattern.exec(key);
  if (upload) return { kind: "upload", promocodeId: upload[1]!, fileId: upload[2]! };
  const drop = dropPattern.exec(key);
  if (drop && idSchema.safeParse(drop[1]).success)
    return { kind: "drop", promocodeId: drop[1]!, fileName: drop[2]! };
  return { kind: "unknown" };
};

const crockford = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const randomnessLength = 16;

/**
 * What names a dropped object: a ULID of the time when it was made and of its bucket, key and version, so that an event
 * that comes again finds the record.
 */
export const dropUlid = ({ objectKey, versionId }: UploadedObject, lastModified: Date): string => {
  const digest = createHash("sha256")
    .update(JSON.stringify([environment("uploadsBucket"), objectKey, versionId]))
    .digest();
  const randomness = Array.from(digest.subarray(0, randomnessLength), (byte) => crockford[byte % 32]).join(
    "",
  );
  return `${encodeTime(lastModified.getTime(), 10)}${randomness}`;
};

/** The id of a code file that was dropped. */
export const dropFileId = (object: UploadedObject, lastModified: Date): string =>
  `fil_${dropUlid(object, lastModified)}`;

/** When the object was made; undefined when it is gone. */
export const lastModifiedOf = async (object: UploadedObject): Promise<Date | undefined> => {
  try {
    const { LastModified } = await s3.send(new HeadObjectCommand(addressOf(object)));
    return LastModified;
  } catch (error) {
    if (isGone(error)) return undefined;
    throw error;
  }
};

export interface OpenObject {
  readonly bytes: number;
  /** The content, once. A connection that breaks is taken up where it broke. */
  readonly chunks: AsyncIterable<Uint8Array>;
}

/** Begins to read the object. Throws `object-gone`. */
export const openObject = async (object: UploadedObject): Promise<OpenObject> => {
  const first = await getFrom(object, 0);
  return { bytes: first.bytes, chunks: chunksOf(object, first) };
};

/** How often in a row a broken connection is taken up again, and how long S3 may send nothing, in milliseconds. */
const mostResumptions = 5;
const longestSilenceMs = 30_000;

async function* chunksOf(object: UploadedObject, first: Part): AsyncGenerator<Uint8Array> {
  let part = first;
  let read = 0;
  for (let broken = 0; ; ) {
    try {
      for await (const chunk of untilSilence(part.body)) {
        broken = 0;
        read += chunk.length;
        yield chunk;
      }
      if (read === first.bytes) return;
      throw new Error(`S3 sent ${read} of ${first.bytes} bytes`);
    } catch (error) {
      broken += 1;
      if (broken > mostResumptions) throw error;
      part = await getFrom(object, read);
    }
  }
}

/** A body that stalls would be waited for until the function is ended: the SDK's time-outs end with the headers. */
async function* untilSilence(body: Part["body"]): AsyncGenerator<Uint8Array> {
  const watch = setTimeout(() => body.destroy(new Error("S3 fell silent")), longestSilenceMs);
  try {
    for await (const chunk of body) {
      watch.refresh();
      yield chunk;
    }
  } finally {
    clearTimeout(watch);
  }
}

interface Part {
  readonly bytes: number;
  readonly body: AsyncIterable<Uint8Array> & { destroy(error?: Error): void };
}

const getFrom = async (object: UploadedObject, offset: number): Promise<Part> => {
  try {
    const { Body, ContentLength = 0 } = await s3.send(
      new GetObjectCommand({ ...addressOf(object), ...(offset > 0 && { Range: `bytes=${offset}-` }) }),
    );
    return { bytes: ContentLength, body: Body as unknown as Part["body"] };
  } catch (error) {
    if (isGone(error)) throw objectGone();
    throw error;
  }
};

const addressOf = ({ objectKey, versionId }: UploadedObject) => ({
  Bucket: environment("uploadsBucket"),
  Key: objectKey,
  ...(versionId !== null && { VersionId: versionId }),
});

/** 405 is what S3 answers for a version that is a delete marker. */
const isGone = (error: unknown): boolean => {
  const status = (error as Partial<S3ServiceException>).$metadata?.httpStatusCode;
  return status === 404 || status === 405;
};
