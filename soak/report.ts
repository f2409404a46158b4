import colors from "picocolors";
import { textTable } from "../bench/report/text-table.ts";
import type { SoakResult } from "./run-soak.ts";

const inWords = (count: number): string => count.toLocaleString("en");

/** What the soak did and what was found, for a terminal. */
export const report = ({ minutes, tally, codes, checks }: SoakResult): readonly string[] => {
  const did = [
    ["allocation requests answered", inWords(tally.requests)],
    ["codes answered, of them given again", `${inWords(tally.allocations)}, ${inWords(tally.repeated)}`],
    ["default codes answered", inWords(tally.defaults)],
    ["files dropped, codes in them", `${inWords(tally.files)}, ${inWords(codes)}`],
    ["rows dropped that the pool had already", inWords(tally.duplicates)],
    ["exports, rows in them", `${inWords(tally.exports)}, ${inWords(tally.exportedRows)}`],
    ["restarts, kills", `${tally.restarts}, ${tally.kills}`],
    ["calls made again meanwhile", inWords(tally.count)],
  ];
  const found = checks.map(({ what, holds, found }) => [
    what,
    found,
    holds ? colors.green("✓ holds") : colors.red("✗ broken"),
  ]);
  const broken = checks.filter(({ holds }) => !holds).length;
  const paint = broken === 0 ? colors.green : colors.red;
  return [
    colors.bold(`\nA soak of ${minutes} minutes`),
    ...textTable(["what was done", ""], did, colors.dim),
    "",
    ...textTable(["what must hold", "found", ""], found, colors.dim),
    "",
    paint(`${checks.length - broken} of ${checks.length} checks hold`),
    `${checks.length - broken} passed, ${broken} failed`,
  ];
};
