import colors from "picocolors";
import type { ScenarioRecord } from "../results/results.ts";
import type { Figure } from "../scenario.ts";
import { formatCell, formatSeconds, formatTarget, formatValue } from "./format.ts";
import { summaryOf } from "./summary.ts";
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
    ...(record.figures.length === 0
      ? []
      : ["", ...textTable(figureColumns, record.figures.map(cellsOf), colors.dim)]),
    ...notes.map((note) => colors.dim(`  ${note}`)),
  ].join("\n");
};

/** The figures that were asked for, of all scenarios, and how many reach their targets. */
export const targetSummary = (records: readonly ScenarioRecord[]): string => {
  const lines = summaryOf(records);
  if (lines.length === 0) return "";
  const judged = lines.map(({ figure }) => verdictOf(figure)).filter((verdict) => verdict !== "not judged");
  const met = judged.filter((verdict) => verdict === "met").length;
  const rows = lines.map(({ scenario, figure }) => [scenario, ...cellsOf(figure)]);
  const paintCount = met === judged.length ? colors.green : colors.red;
  return [
    "",
    colors.bold("Targets"),
    ...textTable(["scenario", ...figureColumns], rows, colors.dim),
    paintCount(`${met} of ${judged.length} are met.`),
  ].join("\n");
};

const figureColumns = ["figure", "measured", "target", "", ""];

const cellsOf = (figure: Figure): readonly string[] => [
  figure.name,
  formatValue(figure),
  figure.target === undefined ? "" : formatTarget(figure.target),
  paintedVerdict[verdictOf(figure)],
  paintedKind[figure.kind],
];
