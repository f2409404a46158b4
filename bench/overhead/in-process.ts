import { openSync, writeSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { buildFunctions } from "../../infra/build.ts";
import type { Endpoints } from "../../local/local-service.ts";
import type { ApiHandler } from "../../shared/http/api-handler.ts";
import { aLambdaContext, anApiEvent } from "../../test/support/api-call.ts";

const milliseconds = 28_000;

/** The environment of a function of that service, logging as it does. Before anything of `shared/storage` is loaded. */
export const becomeFunction = ({ dynamodb }: Pick<Endpoints, "dynamodb">): void => {
  Object.assign(process.env, {
    AWS_LAMBDA_FUNCTION_NAME: "bench-overhead",
    AWS_ENDPOINT_URL_DYNAMODB: dynamodb.endpoint,
    AWS_REGION: dynamodb.region,
    AWS_ACCESS_KEY_ID: dynamodb.accessKeyId,
    AWS_SECRET_ACCESS_KEY: dynamodb.secretAccessKey,
    TABLE_NAME: dynamodb.tableName,
    POWERTOOLS_SERVICE_NAME: "codewell",
    POWERTOOLS_LOG_LEVEL: "INFO",
  });
  delete process.env.LOG_LEVEL;
  delete process.env.POWERTOOLS_METRICS_DISABLED;
  // The lines are written, as in a function, but to nowhere.
  const nowhere = openSync("/dev/null", "w");
  process.stdout.write = (text: string | Uint8Array) => writeSync(nowhere, String(text)) >= 0;
};

/** The function's bundle as it would be deployed, in this process. */
export const builtHandler = async (folder: string): Promise<ApiHandler> => {
  const directory = await mkdtemp(join(tmpdir(), "codewell-bench-functions-"));
  try {
    await buildFunctions(directory);
    const file = join(directory, "functions", folder, "handler.mjs");
    return ((await import(pathToFileURL(file).href)) as { handler: ApiHandler }).handler;
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
};

/** Calls a handler of the allocation route as the gateway would; throws unless a code was handed out. */
export const allocateBy = async (
  handler: ApiHandler,
  promocodeId: string,
  customerId: string,
): Promise<void> => {
  const event = anApiEvent("allocateCode", { path: { promocodeId }, body: { customerId } });
  const context = { ...aLambdaContext(), getRemainingTimeInMillis: () => milliseconds };
  const { statusCode, body } = await handler(event, context);
  if (statusCode !== 201) throw new Error(`The handler answered ${statusCode}: ${body}`);
};
