import { execFile } from "node:child_process";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { KeySurroundings } from "./local-service.ts";

/**
 * Makes the first API key with the service's own code and answers its secret. In a process of its own: that code
 * reads its surroundings from the environment once, and ours is not the service's.
 */
export async function createFirstKey({ tableName, runtime }: KeySurroundings): Promise<string> {
  const tsx = createRequire(import.meta.url).resolve("tsx/cli");
  const script = fileURLToPath(new URL("./print-new-key.ts", import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, [tsx, script], {
    env: {
      PATH: process.env.PATH,
      TABLE_NAME: tableName,
      AWS_REGION: runtime.region,
      AWS_ACCESS_KEY_ID: runtime.credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: runtime.credentials.secretAccessKey,
      AWS_ENDPOINT_URL_DYNAMODB: runtime.endpoints.dynamodb,
      AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: "true",
    },
  });
  return stdout.trim();
}
