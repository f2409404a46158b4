import { fileURLToPath } from "node:url";
import type { PlaceArguments } from "../keys/arguments.ts";
import { UsageError } from "../keys/arguments.ts";
import { findService, type Place } from "../keys/place.ts";

interface OperatorCommand {
  readonly place: PlaceArguments;
}

interface Command<Arguments extends OperatorCommand> {
  /** "verify": what stands behind `npm run`. */
  readonly name: string;
  readonly help: string;
  readonly parse: (given: readonly string[]) => Arguments | "help";
  /** Called once the variables are set that the storage modules read on import. True: ends with 0, false: with 1. */
  readonly run: (command: Arguments, place: Place) => Promise<boolean>;
}

/**
 * Runs an operator's command as a process: 0 when all is well, 1 when something was found or failed, 2 when it was
 * asked wrongly.
 */
export const runCommand = async <Arguments extends OperatorCommand>({
  name,
  help,
  parse,
  run,
}: Command<Arguments>): Promise<void> => {
  try {
    const command = parse(process.argv.slice(2));
    if (command === "help") {
      console.log(help);
      return;
    }
    const project = fileURLToPath(new URL("../..", import.meta.url));
    const place = findService(command.place, project, process.env.AWS_REGION);
    // The SDK's notice about old versions of Node is for those who build with it.
    process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = "true";
    Object.assign(process.env, place.environment);
    if (!(await run(command, place))) process.exitCode = 1;
  } catch (error) {
    const asked = error instanceof UsageError;
    console.error(error instanceof Error ? error.message : error);
    if (asked) console.error(`\n"npm run ${name} -- --help" shows how.`);
    process.exitCode = asked ? 2 : 1;
  }
};
