import { formatNumber, formatSeconds } from "../../bench/report/format.ts";
import { type ProgressLine, progressLine } from "../../bench/run/progress-line.ts";
import type { Place } from "../keys/place.ts";
import type { VerifyCommand } from "./arguments.ts";
import { reportText } from "./report-text.ts";
import type { PoolReport, Verification } from "./verify-pool.ts";

interface Output extends Pick<Verification, "countsPatienceMs" | "looks"> {
  readonly print: (text: string) => void;
  readonly line: ProgressLine;
}

/** Does what the command line asks for; true when nothing was found. */
export const runVerify = async (
  { promocodeId, json }: VerifyCommand,
  place: Place,
  { print, line, ...patience }: Output = { print: console.log, line: progressLine() },
): Promise<boolean> => {
  const { verifyPool } = await import("./verify-pool.ts");
  const { promocodesToWalk } = await import("../service/promocodes-to-walk.ts");
  const { promocodes, global } = await promocodesToWalk(promocodeId);
  if (!json) {
    const what =
      promocodes.length === 1 ? "the pool of 1 promocode" : `the pools of ${promocodes.length} promocodes`;
    print(`Verifies ${what} on ${place.name}. Reads every cell, changes nothing.`);
    if (global.length > 0) print(`${global.length} are global and have no pool.`);
  }
  const reports: PoolReport[] = [];
  for (const id of promocodes) {
    const begun = performance.now();
    const report = await verifyPool(id, {
      ...patience,
      onProgress: ({ shards, shardsDone, codes, holders }) =>
        line.show(
          `${id}: ${formatNumber(codes)} codes, ${formatNumber(holders)} holders`,
          shards === 0 ? 1 : shardsDone / shards,
        ),
    });
    reports.push(report);
    line.clear();
    if (!json) print(`\n${reportText(report)} (${formatSeconds((performance.now() - begun) / 1000)})`);
  }
  if (json) print(JSON.stringify(reports, null, 2));
  else print(`\n${conclusion(reports)}`);
  return reports.every(({ findings }) => findings.length === 0);
};

const conclusion = (reports: readonly PoolReport[]): string => {
  const broken = reports.filter(({ findings }) => findings.length > 0);
  const codes = reports.reduce((sum, report) => sum + report.codes, 0);
  const allocated = reports.reduce((sum, report) => sum + report.allocated, 0);
  return broken.length === 0
    ? `All is well: ${formatNumber(codes)} codes, ${formatNumber(allocated)} allocated, each at most once.`
    : `Something is wrong with ${broken.map(({ promocodeId }) => promocodeId).join(", ")}. docs/operations.md, "When verify finds something", says what to do.`;
};
