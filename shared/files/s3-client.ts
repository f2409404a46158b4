import { S3Client } from "@aws-sdk/client-s3";
import { NodeHttpHandler } from "@smithy/node-http-handler";

/**
 * The S3 client of this process. A request that hangs ends and is tried again: without `throwOnRequestTimeout` the
 * handler only warns. Signs no checksum into presigned URLs, because nobody can know what will be sent.
 */
export const s3 = new S3Client({
  maxAttempts: 5,
  requestChecksumCalculation: "WHEN_REQUIRED",
  // An S3 endpoint of one's own, as on one machine, has no names for its buckets.
  forcePathStyle: process.env.AWS_ENDPOINT_URL_S3 !== undefined,
  requestHandler: new NodeHttpHandler({
    connectionTimeout: 2_000,
    requestTimeout: 30_000,
    throwOnRequestTimeout: true,
  }),
});
