import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import { GetObjectCommand } from "@aws-sdk/client-s3";
import { Upload } from "@aws-sdk/lib-storage";
import { getSignedUrl } from "@aws-sdk/s3-request-presigner";
import { presignedSeconds } from "../contract/conventions.ts";
import { environment } from "../environment.ts";
import { objectPrefixes } from "./object-prefixes.ts";
import { s3 } from "./s3-client.ts";

/**
 * At most 4 parts of 5 MB, S3's least, in flight and one being filled, so memory stays flat; S3 takes 10,000 parts, so
 * a file may have 50 GB (docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html).
 */
const partBytes = 5 * 1024 * 1024;
const partsAtOnce = 3;

const contentType = "text/csv; charset=utf-8";

/** An export's object: every attempt has its own, so what a record says of its object stays true. */
export const exportObjectKey = (exportId: string, attempt: number): string =>
  `${objectPrefixes.exports}${exportId}/${attempt}.csv`;

export interface ExportFile {
  readonly bytes: number;
  /** Hex digest of these bytes. */
  readonly sha256: string;
}

/**
 * Writes the chunks as one object, which exists only once all of them were written. Takes chunks only as fast as S3
 * takes parts. What `chunks` throws is thrown, and the parts are given up.
 */
export const writeExportFile = async (key: string, chunks: AsyncIterable<Buffer>): Promise<ExportFile> => {
  const hash = createHash("sha256");
  let bytes = 0;
  const observed = async function* () {
    for await (const chunk of chunks) {
      hash.update(chunk);
      bytes += chunk.byteLength;
      yield chunk;
    }
  };
  const upload = new Upload({
    client: s3,
    params: {
      Bucket: environment("exportsBucket"),
      Key: key,
      // One chunk at a time: a Readable of objects would read 16 ahead.
      Body: Readable.from(observed(), { objectMode: true, highWaterMark: 1 }),
      ContentType: contentType,
    },
    partSize: partBytes,
    queueSize: partsAtOnce,
  });
  await upload.done();
  return { bytes, sha256: hash.digest("hex") };
};

export interface Download {
  readonly downloadUrl: string;
  readonly downloadExpiresAt: string;
}

/** A URL that lets whoever has it download the object under this file name, for 15 minutes from `now`. */
export const presignedDownload = async (key: string, fileName: string, now: Date): Promise<Download> => {
  const downloadUrl = await getSignedUrl(
    s3,
    new GetObjectCommand({
      Bucket: environment("exportsBucket"),
      Key: key,
      ResponseContentDisposition: `attachment; filename="${fileName}"`,
      ResponseContentType: contentType,
    }),
    { expiresIn: presignedSeconds, signingDate: now },
  );
  // A signature has whole seconds: it dies with the second it was made in.
  const signedAt = Math.floor(now.getTime() / 1000) * 1000;
  return { downloadUrl, downloadExpiresAt: new Date(signedAt + presignedSeconds * 1000).toISOString() };
};
