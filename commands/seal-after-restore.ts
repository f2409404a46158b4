import { help, parseSealArguments } from "./seal-after-restore/arguments.ts";
import { runSeal } from "./seal-after-restore/run-seal.ts";
import { runCommand } from "./service/run-command.ts";

/** npm run seal-after-restore: takes out of a restored table's pools whatever may have been given out since. */
await runCommand({
  name: "seal-after-restore",
  help,
  parse: parseSealArguments,
  run: (command, place) => runSeal(command, place),
});
