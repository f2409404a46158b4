import colors from "picocolors";
import type { ScenarioRecord } from "../results/results.ts";
import type { Figure } from "../scenario.ts";
import { formatCell, formatSeconds, formatTarget, formatValue } from "./format.ts";
import { textTable } from "./text-table.ts";
import { type Verdict, verdictOf } from "./verdict.ts";

const paintedVerdict: Readonly<Record<Verdict, string>> = {
  met: colors.green("✓ met"),
  missed: colors.red("✗ missed"),
  "not judged": "",
};

/** What a reader must know before they compare a figure: that it is no measurement, or one of this machine. */
const paintedKind: Readonly<Record<Figure["kind"], string>> = {
  exact: "",
  timed: colors.dim("this machine"),
  model: colors.yellow("model, not measured"),
};

/** A scenario as it is printed when it has ended: its tables, then its figures. */
export const scenarioReport = (record: ScenarioRecord): string => {
  const options = Object.entries(record.options).map(([name, value]) => `${name} ${formatCell(value)}`);
  const used = `${formatSeconds(record.seconds)}, ${formatSeconds(record.cpuSeconds)} of CPU, ${formatCell(record.peakMemoryMb)} MB at most`;
  const notes = record.figures.flatMap(({ name, note }) => (note === undefined ? [] : [`${name}: ${note}`]));
  return [
    "",
    `${colors.bold(colors.cyan(record.name))} ${record.summary}`,
    colors.dim([record.size, ...options, used].join(" · ")),
    ...record.tables.flatMap(({ title, columns, rows }) => [
      "",
      colors.bold(title),
      ...textTable(
        columns,
        rows.map((row) => row.map(formatCell)),
        colors.dim,
      ),
    ]),
    ...(record.figures.length === 0 ? [] : ["", ...figureTable(record.figures)]),
    ...notes.map((note) => colors.dim(`  ${note}`)),
  ].join("\n");
};

const figureTable = (figures: readonly Figure[]): readonly string[] =>
  textTable(
    ["figure", "measured", "target", "", ""],
    figures.map((figure) => [
      figure.name,
      formatValue(figure),
      figure.target === undefined ? "" : formatTarget(figure.target),
      paintedVerdict[verdictOf(figure)],
      paintedKind[figure.kind],
    ]),
    colors.dim,
  );

/** Every figure that has a target, of all scenarios, and how many reach it. */
export const targetSummary = (records: readonly ScenarioRecord[]): string => {
  const judged = records.flatMap(({ name, figures }) =>
    figures.filter(({ target }) => target !== undefined).map((figure) => ({ scenario: name, figure })),
  );
  if (judged.length === 0) return "";
  const missed = judged.filter(({ figure }) => verdictOf(figure) === "missed").length;
  const rows = judged.map(({ scenario, figure }) => [
    scenario,
    figure.name,
    formatValue(figure),
    figure.target === undefined ? "" : formatTarget(figure.target),
    paintedVerdict[verdictOf(figure)],
    paintedKind[figure.kind],
  ]);
  return [
    "",
    colors.bold("Targets"),
    ...textTable(["scenario", "figure", "measured", "target", "", ""], rows, colors.dim),
    missed === 0
      ? colors.green(`All ${judged.length} are met.`)
      : colors.red(`${missed} of ${judged.length} are missed.`),
  ].join("\n");
};
