import { formatNumber } from "../../bench/report/format.ts";
import { textTable } from "../../bench/report/text-table.ts";
import { type ProgressLine, progressLine } from "../../bench/run/progress-line.ts";
import { auditedCommand } from "../audited-command.ts";
import { deployedRegion, type Place } from "../keys/place.ts";
import type { SealCommand } from "./arguments.ts";

interface Output {
  readonly print: (text: string) => void;
  readonly line: ProgressLine;
}

/** Does what the command line asks for; true when nothing is left to seal. */
export const runSeal = async (
  { promocodeId, json, yes }: SealCommand,
  place: Place,
  { print, line }: Output = { print: console.log, line: progressLine() },
): Promise<boolean> => {
  const { filesToSeal, sealFile } = await import("./seal-pools.ts");
  const { promocodesToWalk } = await import("../service/promocodes-to-walk.ts");
  const { promocodes } = await promocodesToWalk(promocodeId);
  const files = await filesToSeal(promocodes);
  if (!json) print(introduction(files.length, place, yes));
  if (yes && files.length > 0) {
    const { operatorOf } = await import("../operator.ts");
    const operator = await operatorOf(deployedRegion(place));
    for (const [at, file] of files.entries()) {
      line.show(`${file.promocodeId}: sealing ${file.fileId}`, at / files.length);
      const targets = { promocodeId: file.promocodeId, fileId: file.fileId };
      const fields = { reason: "restored to an older point" };
      await auditedCommand({ action: "code-file.withdraw", operator, targets, fields, now: new Date() }, () =>
        sealFile(file),
      );
    }
  }
  line.clear();
  const left = await filesToSeal(promocodes);
  if (json) print(JSON.stringify({ files, left }, null, 2));
  else if (files.length > 0) {
    const rows = files.map((file) => [file.promocodeId, file.fileId, formatNumber(file.codes), file.status]);
    print(["", ...textTable(["PROMOCODE", "FILE", "CODES", "WAS"], rows)].join("\n"));
    if (yes) print('\nSealed. "npm run verify" proves the pools; then load new files.');
  }
  return left.length === 0;
};

const introduction = (files: number, { name }: Place, yes: boolean): string => {
  if (files === 0) return `Nothing to seal on ${name}: no file gives out a code.`;
  const what = files === 1 ? "1 file" : `${files} files`;
  return yes
    ? `Takes every free code of ${what} on ${name} out of the pools, for good.`
    : `Would take every free code of ${what} on ${name} out of the pools, for good. Changes nothing; --yes seals.`;
};
