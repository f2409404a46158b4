import { fileURLToPath } from "node:url";
import colors from "picocolors";
import { publish, publishedResults } from "./publish/publish.ts";
import { formatSeconds } from "./report/format.ts";
import { scenarioReport, targetSummary } from "./report/terminal-report.ts";
import { isFailure } from "./report/verdict.ts";
import { circumstances } from "./results/circumstances.ts";
import { mergeResults, readResults, type ScenarioRecord, writeResults } from "./results/results.ts";
import {
  type BenchCommand,
  help,
  type KnownScenario,
  parseBenchArguments,
  UsageError,
} from "./run/arguments.ts";
import { progressLine } from "./run/progress-line.ts";
import { runScenario } from "./run/run-scenario.ts";
import { scenarioEntries } from "./scenarios.ts";

const localResults = fileURLToPath(new URL("./results.local.json", import.meta.url));

/**
 * npm run bench: runs scenarios, prints their figures and keeps them. Ends with 0 when all ran, 1 when one failed, or,
 * under `--check`, when an exact figure missed its target; 2 when it was asked wrongly.
 */
const main = async (given: readonly string[]): Promise<boolean> => {
  // The SDK's notice about old versions of Node is for those who build with it.
  process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = "true";
  const known: KnownScenario[] = [];
  // One after the other: Node 20 can leave imports unsettled that meet at a module which awaits (shared/pool/hash.ts).
  for (const { check, load } of scenarioEntries) known.push({ scenario: await load(), check });
  const command = parseBenchArguments(given, known);
  switch (command.action) {
    case "help":
      console.log(help(known));
      return true;
    case "render":
      await render();
      return true;
    case "run":
      return run(command);
  }
};

const render = async (): Promise<void> => {
  const results = await readResults(publishedResults);
  if (results === undefined) throw new Error("There is no bench/results.json yet: --publish makes it.");
  for (const line of await publish(results)) console.log(line);
};

const run = async (command: Extract<BenchCommand, { action: "run" }>): Promise<boolean> => {
  const records: ScenarioRecord[] = [];
  const failed: string[] = [];
  for (const { scenario, options } of command.runs) {
    const { name, summary } = scenario;
    const line = progressLine();
    line.show(name);
    const begun = { name, summary, size: command.size, options, circumstances: circumstances() };
    try {
      const { outcome, usage } = await runScenario({ name, options }, (what, done) =>
        line.show(`${name}: ${what}`, done),
      );
      const record = { ...begun, ...usage, ...outcome };
      records.push(record);
      line.leave(`${colors.green("✓")} ${name} ${colors.dim(formatSeconds(usage.seconds))}`);
      console.log(scenarioReport(record));
      await keep(command.publish, records);
    } catch (error) {
      failed.push(name);
      line.leave(`${colors.red("✗")} ${name}`);
      console.error(error instanceof Error ? error.message : error);
    }
  }
  if (records.length > 0) console.log(targetSummary(records));
  if (failed.length > 0) console.error(colors.red(`Failed: ${failed.join(", ")}.`));
  else if (command.publish) await render();
  return failed.length === 0 && !(command.check && reportMisses(records));
};

/** After every scenario, so that hours of measuring outlive an interruption. */
const keep = async (isPublished: boolean, records: readonly ScenarioRecord[]): Promise<void> => {
  if (!isPublished) return writeResults(localResults, { scenarios: records });
  const order = scenarioEntries.map(({ name }) => name);
  await writeResults(publishedResults, mergeResults(await readResults(publishedResults), records, order));
};

/** Names the exact figures that missed. Answers whether there were any. */
const reportMisses = (records: readonly ScenarioRecord[]): boolean => {
  const misses = records.flatMap(({ name, figures }) =>
    figures.filter(isFailure).map((figure) => `${name}: ${figure.name}`),
  );
  if (misses.length > 0)
    console.error(colors.red(`Exact figures that missed their target:\n  ${misses.join("\n  ")}`));
  return misses.length > 0;
};

try {
  process.exitCode = (await main(process.argv.slice(2))) ? 0 : 1;
} catch (error) {
  const asked = error instanceof UsageError;
  console.error(error instanceof Error ? error.message : error);
  if (asked) console.error('\n"npm run bench -- --help" shows how.');
  process.exitCode = asked ? 2 : 1;
}
