import { help, parseRecountArguments } from "./recount/arguments.ts";
import { runRecount } from "./recount/run-recount.ts";
import { runCommand } from "./service/run-command.ts";

/** npm run recount: compares the counts with what they count, and puts them right on request. */
await runCommand({
  name: "recount",
  help,
  parse: parseRecountArguments,
  run: (command, place) => runRecount(command, place),
});
