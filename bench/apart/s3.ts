import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startS3 } from "../../local/s3/server.ts";
import { environment } from "../../shared/environment.ts";

/** Our S3 server with the two buckets of the service, until the parent lets go. Tells where it is. */
const directory = await mkdtemp(join(tmpdir(), "codewell-bench-s3-"));
const server = await startS3({
  directory,
  region: String(process.env.AWS_REGION),
  credentials: {
    accessKeyId: String(process.env.AWS_ACCESS_KEY_ID),
    secretAccessKey: String(process.env.AWS_SECRET_ACCESS_KEY),
  },
  buckets: [
    { name: environment("uploadsBucket"), versioned: true },
    { name: environment("exportsBucket"), versioned: true },
  ],
});
// Ctrl-C reaches the whole group: the parent ends of it, and that is the sign to clean up.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => {});
process.once("disconnect", async () => {
  await server.close();
  await rm(directory, { recursive: true, force: true });
});
process.send?.(server.endpoint);
