import { randomBytes } from "node:crypto";
import { chmodSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import * as z from "zod";

/** Drops whatever is not part of the state. */
export const stateSchema = z.object({
  /** Key pair of the local AWS endpoints. */
  credentials: z.object({ accessKeyId: z.string(), secretAccessKey: z.string() }),
  /** Secret of the first API key; the service itself stores only its hash. */
  apiKey: z.string().optional(),
  /** Where S3 was last time: presigned URLs stay valid over a restart if it is there again. */
  s3Port: z.number().optional(),
});

/** What the local service itself must remember between runs. */
export type LocalState = z.infer<typeof stateSchema>;

/** Reads the state, or makes a new one with a key pair of its own. */
export function readState(file: string): LocalState {
  try {
    return stateSchema.parse(JSON.parse(readFileSync(file, "utf8")));
  } catch {
    return {
      credentials: {
        accessKeyId: `LOCAL${randomBytes(8).toString("hex").toUpperCase()}`,
        secretAccessKey: randomBytes(20).toString("hex"),
      },
    };
  }
}

/** Writes a JSON file that only its owner may read, in one step: a reader sees all of it or the one before. */
export function writePrivateJson(file: string, content: object): void {
  mkdirSync(dirname(file), { recursive: true });
  const draft = `${file}.new`;
  writeFileSync(draft, `${JSON.stringify(content, null, 2)}\n`, { mode: 0o600 });
  chmodSync(draft, 0o600);
  renameSync(draft, file);
}
