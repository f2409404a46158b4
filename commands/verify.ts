import { runCommand } from "./service/run-command.ts";
import { help, parseVerifyArguments } from "./verify/arguments.ts";
import { runVerify } from "./verify/run-verify.ts";

/** npm run verify: proves the invariants of pools that may be in use. */
await runCommand({
  name: "verify",
  help,
  parse: parseVerifyArguments,
  run: (command, place) => runVerify(command, place),
});
