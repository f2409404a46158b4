import { formatNumber } from "../../bench/report/format.ts";
import { textTable } from "../../bench/report/text-table.ts";
import { type ProgressLine, progressLine } from "../../bench/run/progress-line.ts";
import type { CountCorrection } from "../../shared/storage/recounts.ts";
import { auditedCommand } from "../audited-command.ts";
import { deployedRegion, type Place } from "../keys/place.ts";
import type { RecountCommand } from "./arguments.ts";
import type { RecountedCount } from "./recount.ts";

interface Output {
  readonly print: (text: string) => void;
  readonly line: ProgressLine;
}

/** Does what the command line asks for; true when all counts agree in the end. */
export const runRecount = async (
  { promocodeId, json, quietSeconds, yes }: RecountCommand,
  place: Place,
  { print, line }: Output = { print: console.log, line: progressLine() },
): Promise<boolean> => {
  const { recount } = await import("./recount.ts");
  const { promocodesToWalk } = await import("../service/promocodes-to-walk.ts");
  const { promocodes } = await promocodesToWalk(promocodeId);
  if (!json)
    print(
      `Counts what ${promocodes.length === 1 ? "1 promocode" : `${promocodes.length} promocodes`} gave out, on ${place.name}: reads their cells, and all of the table for default codes. ${yes ? "Wrong counts are put right." : "Changes nothing."}`,
    );
  const counts = await recount({
    promocodeIds: promocodes,
    quietMs: quietSeconds * 1_000,
    correct: yes ? await correctingOnRecord(place) : undefined,
    onStep: (text, done) => line.show(text, done),
  });
  line.clear();
  if (json) print(JSON.stringify(counts, null, 2));
  else print(`\n${textOf(counts)}`);
  return counts.every(({ state }) => state === "agrees" || state === "corrected" || state === "kept");
};

/** Each correction is in the audit trail before it is made. */
const correctingOnRecord = async (place: Place) => {
  const { correctCount } = await import("../../shared/storage/recounts.ts");
  const { operatorOf } = await import("../operator.ts");
  const operator = await operatorOf(deployedRegion(place));
  return (correction: CountCorrection): Promise<boolean> => {
    const { promocodeId, fileId, counted = null, held } = correction;
    const now = new Date();
    const targets = { promocodeId, ...(fileId !== null && { fileId }) };
    return auditedCommand(
      { action: "counts.recount", operator, targets, fields: { counted, held }, now },
      () => correctCount(correction, now),
    );
  };
};

const saying: Readonly<Record<RecountedCount["state"], string>> = {
  agrees: "agrees",
  wrong: "wrong: --yes puts it right",
  "in-use": "in use: may be late; ask again when it is quiet",
  kept: "kept: records of erased customers are gone",
  corrected: "was wrong, is put right",
};

const textOf = (counts: readonly RecountedCount[]): string => {
  const differing = counts.filter(({ state }) => state !== "agrees");
  const agreed = `${formatNumber(counts.length - differing.length)} of ${formatNumber(counts.length)} counts agree.`;
  if (differing.length === 0) return agreed;
  const rows = differing.map(({ promocodeId, fileId, counted, held, state }) => [
    promocodeId,
    fileId ?? "default codes",
    formatNumber(counted),
    formatNumber(held),
    saying[state],
  ]);
  return [...textTable(["PROMOCODE", "OF", "COUNTED", "HELD", ""], rows), "", agreed].join("\n");
};
