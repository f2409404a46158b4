import * as z from "zod";
import { generatedIdSchema, idSchema, maxFileBytes, pageQuery, timestampSchema } from "./conventions.ts";

export const codeFileStatuses = [
  "awaiting-upload",
  "queued",
  "loading",
  "ready",
  "failed",
  "withdrawing",
  "withdrawn",
] as const;

/** Why a whole file was refused. The sentence that tells what to do stands beside it in `failure.message`. */
export const fileFailureCodes = [
  "ambiguous-columns",
  "archived-promotion",
  "binary-file",
  "compressed-file",
  "empty-file",
  "file-too-large",
  "no-valid-codes",
  "not-a-csv-file",
  "not-personalized",
  "object-gone",
  "promocode-not-found",
  "row-too-long",
  "too-many-codes",
  "unsupported-encoding",
  "unterminated-quote",
  "load-failed",
] as const;

const count = z.int().min(0);

const example = {
  fileId: "fil_01KA5S2H4N6P8R0T2V4X6Z8A0C",
  promocodeId: "pcd_01KA5S1B3M9K7T5R2C8VQ0WDXE",
  fileName: "autumn-codes.csv",
  source: "upload",
  status: "ready",
  rowsRead: 50_003,
  codes: 50_000,
  duplicatesInFile: 1,
  duplicatesInPool: 1,
  rejected: 1,
  header: "Coupon code",
  allocated: 1204,
  available: 48_796,
  problems: [{ line: 812, reason: "has a blank inside" }],
  createdAt: "2026-11-23T09:01:00.000Z",
  loadedAt: "2026-11-23T09:01:04.310Z",
} as const;

export const codeFileSchema = z
  .strictObject({
    fileId: generatedIdSchema("fil"),
    promocodeId: idSchema,
    fileName: z.string(),
    source: z.enum(["upload", "drop"]),
    status: z.enum(codeFileStatuses),
    rowsRead: count.describe(
      "Rows read so far, blank lines and the header left out. Grows while the file loads.",
    ),
    codes: count.describe(
      "Codes that the file brought into the pool. While it loads: codes written so far, not yet in the pool.",
    ),
    duplicatesInFile: count.describe("Rows skipped because the file holds the code more than once."),
    duplicatesInPool: count.describe("Codes skipped because the promocode holds them already."),
    rejected: count.describe("Rows refused because they are no valid code."),
    header: z.string().nullable().describe("The code column's name, or null when the file has no header."),
    allocated: count,
    available: count,
    problems: z
      .array(z.strictObject({ line: z.int().min(1), reason: z.string() }))
      .max(20)
      .describe("The first 20 refused rows."),
    rejectsUrl: z
      .url()
      .optional()
      .describe("With more than 20 refused rows: a CSV of all of them, presigned on this call."),
    failure: z.strictObject({ code: z.enum(fileFailureCodes), message: z.string() }).optional(),
    createdAt: timestampSchema,
    loadedAt: timestampSchema.optional(),
  })
  .meta({ id: "CodeFile", description: "A CSV file of unique codes and what became of it.", example });

export type CodeFile = z.infer<typeof codeFileSchema>;
export type FileFailureCode = (typeof fileFailureCodes)[number];

/** The name of a file that is announced: kept on its record, never part of a key. */
export const csvFileNameSchema = z
  .string()
  .regex(
    /^[^\p{Cc}\p{Cs}/\\]{1,196}\.[cC][sS][vV]$/u,
    "must be at most 200 characters without slashes or control characters, and end with .csv",
  );

export const createCodeFileBody = z
  .strictObject({ fileName: csvFileNameSchema })
  .meta({ id: "CreateCodeFile", example: { fileName: "autumn-codes.csv" } });

export const uploadSchema = z
  .strictObject({
    url: z.url(),
    fields: z.record(z.string(), z.string()),
    maxBytes: z.int(),
    expiresAt: timestampSchema,
  })
  .meta({
    id: "Upload",
    description:
      "A presigned POST straight to S3: send a multipart/form-data form with all `fields` and, as the last part, `file`. S3 answers 204 (docs.aws.amazon.com/AmazonS3/latest/userguide/PresignedUrlUploadObject.html).",
  });

export const createdCodeFileSchema = z.strictObject({ file: codeFileSchema, upload: uploadSchema }).meta({
  id: "CreatedCodeFile",
  example: {
    file: {
      fileId: example.fileId,
      promocodeId: example.promocodeId,
      fileName: example.fileName,
      source: "upload",
      status: "awaiting-upload",
      rowsRead: 0,
      codes: 0,
      duplicatesInFile: 0,
      duplicatesInPool: 0,
      rejected: 0,
      header: null,
      allocated: 0,
      available: 0,
      problems: [],
      createdAt: example.createdAt,
    },
    upload: {
      url: "https://uploads.s3.eu-west-1.amazonaws.com/",
      fields: { key: "promocodes/pcd_01KA5S1B3M9K7T5R2C8VQ0WDXE/autumn-codes.csv", Policy: "eyJleHBp…" },
      maxBytes: maxFileBytes,
      expiresAt: "2026-11-23T09:16:00.000Z",
    },
  },
});

export const listCodeFilesQuery = z.strictObject(pageQuery);

export const codeFilePath = z.strictObject({ promocodeId: idSchema, fileId: generatedIdSchema("fil") });
