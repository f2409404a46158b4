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
  const found = checks.map(({ what, holds, found }) => [what, found, verdictOf(holds)]);
  const broken = checks.filter(({ holds }) => holds === false).length;
  const held = checks.filter(({ holds }) => holds === true).length;
  const paint = broken === 0 ? colors.green : colors.red;
  return [
    colors.bold(`\nA soak of ${minutes} ${minutes === 1 ? "minute" : "minutes"}`),
    ...textTable(["what was done", ""], did, colors.dim),
    "",
    ...textTable(["what must hold", "found", ""], found, colors.dim),
    "",
    paint(`${held} of ${held + broken} checks hold`),
    `${held} passed, ${broken} failed`,
  ];
};

const verdictOf = (holds: boolean | undefined): string => {
  if (holds === undefined) return colors.dim("– not judged");
  return holds ? colors.green("✓ holds") : colors.red("✗ broken");
};
