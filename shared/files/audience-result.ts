import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  HeadObjectCommand,
  S3ServiceException,
  UploadPartCommand,
} from "@aws-sdk/client-s3";
import { environment } from "../environment.ts";
import { s3 } from "./s3-client.ts";

/**
 * Bytes from which on rows become a part of the result. S3 takes parts of at least 5 MiB, the last one aside, and
 * 10,000 of them (docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html): room for 80 GB.
 */
export const resultPartBytes = 8 * 1024 * 1024;

/** A result that grows part by part and exists only once it is complete. */
export interface ResultUpload {
  readonly objectKey: string;
  readonly uploadId: string;
}

/** The upload is gone, or a part of it is not the one that was noted: the result must be begun anew. */
export class ResultLost extends Error {
  override readonly name = "ResultLost";
}

const place = ({ objectKey, uploadId }: ResultUpload) => ({
  Bucket: environment("exportsBucket"),
  Key: objectKey,
  UploadId: uploadId,
});

export const beginResult = async (objectKey: string): Promise<ResultUpload> => {
  const { UploadId } = await s3.send(
    new CreateMultipartUploadCommand({
      Bucket: environment("exportsBucket"),
      Key: objectKey,
      ContentType: "text/csv; charset=utf-8",
    }),
  );
  if (UploadId === undefined) throw new Error("S3 began an upload without an id");
  return { objectKey, uploadId: UploadId };
};

/** Writes a part, or writes it again; answers its tag. Throws `ResultLost`. */
export const writePart = async (
  upload: ResultUpload,
  partNumber: number,
  lines: readonly Buffer[],
): Promise<string> => {
  const { ETag } = await whileItIsThere(() =>
    s3.send(new UploadPartCommand({ ...place(upload), PartNumber: partNumber, Body: Buffer.concat(lines) })),
  );
  if (ETag === undefined) throw new Error("S3 took a part without giving it a tag");
  return ETag;
};

/** Makes the object of these parts. One that an earlier try completed is as good. Throws `ResultLost`. */
export const completeResult = async (
  upload: ResultUpload,
  parts: readonly string[],
  bytes: number,
): Promise<void> => {
  try {
    await whileItIsThere(() =>
      s3.send(
        new CompleteMultipartUploadCommand({
          ...place(upload),
          MultipartUpload: { Parts: parts.map((ETag, at) => ({ ETag, PartNumber: at + 1 })) },
        }),
      ),
    );
  } catch (error) {
    if (!(error instanceof ResultLost) || (await sizeOf(upload.objectKey)) !== bytes) throw error;
  }
};

/** Gives the parts up. What is not given up is cleared away by the bucket's rule for incomplete uploads. */
export const abandonResult = async (upload: ResultUpload): Promise<void> => {
  try {
    await s3.send(new AbortMultipartUploadCommand(place(upload)));
  } catch (error) {
    if (!(error instanceof S3ServiceException && error.name === "NoSuchUpload")) throw error;
  }
};

const whileItIsThere = async <Answer>(call: () => Promise<Answer>): Promise<Answer> => {
  try {
    return await call();
  } catch (error) {
    if (
      error instanceof S3ServiceException &&
      (error.name === "NoSuchUpload" || error.name === "InvalidPart")
    )
      throw new ResultLost(error.name);
    throw error;
  }
};

const sizeOf = async (objectKey: string): Promise<number | undefined> => {
  try {
    const { ContentLength } = await s3.send(
      new HeadObjectCommand({ Bucket: environment("exportsBucket"), Key: objectKey }),
    );
    return ContentLength;
  } catch (error) {
    if ((error as Partial<S3ServiceException>).$metadata?.httpStatusCode === 404) return undefined;
    throw error;
  }
};
