import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import colors from "picocolors";
import { report } from "./report.ts";
import { soak } from "./run-soak.ts";

const help = `Holds a load on the whole service on this machine, restarts and kills it meanwhile, and proves at the end that
no code was lost and none given twice. What is under way is shown on a terminal.

Usage: npm run soak -- [options]

  --minutes <number>   how long the load is held    (default 10)
  --callers <number>   callers at once              (default 12)
  --help               this text

Ends with 0 when every check holds, with 1 when one does not.`;

// The SDK would tell about the end of its support for Node 20.
process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = "true";

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "10" },
    callers: { type: "string", default: "12" },
    help: { type: "boolean", default: false },
  },
});

const minutes = Number(values.minutes);
const callers = Number(values.callers);
if (values.help) console.log(help);
else if (!(minutes > 0) || !Number.isInteger(callers) || callers < 1) {
  console.error(colors.red("Minutes are a number above 0, callers a whole number from 1 on."));
  process.exitCode = 2;
} else {
  const directory = await mkdtemp(join(tmpdir(), "codewell-soak-"));
  try {
    const result = await soak({ directory, minutes, callers });
    for (const line of report(result)) console.log(line);
    if (result.checks.some(({ holds }) => holds === false)) process.exitCode = 1;
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
