import { createPresignedPost } from "@aws-sdk/s3-presigned-post";
import type * as z from "zod";
import type { uploadSchema } from "../contract/code-files.ts";
import { maxFileBytes, presignedSeconds } from "../contract/conventions.ts";
import { environment } from "../environment.ts";
import { s3 } from "./s3-client.ts";

/**
 * A form that lets whoever has it store one file, for 15 minutes from now: under this exact key, of at most
 * `maxBytes` bytes, with any Content-Type. An empty file is let in, so that its record can say what is wrong with it.
 */
export const presignedUpload = async (key: string, now: Date): Promise<z.infer<typeof uploadSchema>> => {
  const { url, fields } = await createPresignedPost(s3, {
    Bucket: environment("uploadsBucket"),
    Key: key,
    Conditions: [
      ["content-length-range", 0, maxFileBytes],
      ["starts-with", "$Content-Type", ""],
    ],
    Expires: presignedSeconds,
  });
  // The SDK counts from its own clock; the policy has whole seconds.
  const expiresAt = new Date(Math.floor(now.getTime() / 1000) * 1000 + presignedSeconds * 1000);
  // S3 refuses a form that leaves out a field its policy speaks of, so the field is there, with a value to be changed at will.
  const allFields = { ...fields, "Content-Type": "text/csv" };
  return { url, fields: allFields, maxBytes: maxFileBytes, expiresAt: expiresAt.toISOString() };
};
