import { fileURLToPath } from "node:url";
import { help, parseKeysArguments, UsageError } from "./keys/arguments.ts";
import { findPlace } from "./keys/place.ts";
import { runKeys } from "./keys/run-keys.ts";

/** npm run keys -- create | list | rotate | revoke. Ends with 0 when done, 1 when it failed, 2 when it was asked wrongly. */
const main = async (given: readonly string[]): Promise<void> => {
  const command = parseKeysArguments(given);
  if (command === "help") {
    console.log(help);
    return;
  }
  const place = findPlace(
    command.place,
    fileURLToPath(new URL("..", import.meta.url)),
    process.env.AWS_REGION,
  );
  // The SDK's notice about old versions of Node is for those who build with it.
  process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = "true";
  Object.assign(process.env, place.environment);
  const report = await runKeys(command, place, new Date());
  console.log(command.json ? JSON.stringify(report.value, null, 2) : report.text);
};

try {
  await main(process.argv.slice(2));
} catch (error) {
  const asked = error instanceof UsageError;
  console.error(error instanceof Error ? error.message : error);
  if (asked) console.error('\n"npm run keys -- help" shows how.');
  process.exitCode = asked ? 2 : 1;
}
