import { help, parseRedriveArguments } from "./redrive/arguments.ts";
import { runRedrive } from "./redrive/run-redrive.ts";
import { runCommand } from "./service/run-command.ts";

/** npm run redrive: lists dead letters and sends them back on request. */
await runCommand({
  name: "redrive",
  help,
  parse: parseRedriveArguments,
  run: (command, place) => runRedrive(command, place),
});
