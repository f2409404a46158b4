import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DynamoDbEngine } from "../../local/dynamodb/engine.ts";
import { startS3 } from "../../local/s3/server.ts";

export interface ExportsBucket {
  close(): Promise<void>;
}

/**
 * Starts an S3 endpoint with an exports bucket and points this process at it, before modules that hold an S3 client
 * are imported. The engine's credentials sign for both.
 */
export const startExportsBucket = async ({ region, credentials }: DynamoDbEngine): Promise<ExportsBucket> => {
  const directory = await mkdtemp(join(tmpdir(), "codewell-s3-"));
  const s3 = await startS3({
    directory,
    region,
    credentials,
    buckets: [{ name: "exports", versioned: true }],
  });
  process.env.AWS_ENDPOINT_URL_S3 = s3.endpoint;
  process.env.EXPORTS_BUCKET = "exports";
  return {
    close: async () => {
      await s3.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
};
