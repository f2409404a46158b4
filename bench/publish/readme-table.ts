import { formatCell, formatTarget, formatValue } from "../report/format.ts";
import { summaryOf } from "../report/summary.ts";
import { type Verdict, verdictOf } from "../report/verdict.ts";
import type { Circumstances, Results, ScenarioRecord } from "../results/results.ts";
import type { Figure } from "../scenario.ts";

const begin = "<!-- bench:begin -->";
const end = "<!-- bench:end -->";

const verdicts: Readonly<Record<Verdict, string>> = { met: "met", missed: "**missed**", "not judged": "" };
const kinds: Readonly<Record<Figure["kind"], string>> = {
  exact: "",
  timed: " (this machine)",
  model: " (model, not measured)",
};

/** Whether the README has a place for the table. */
export const hasPlace = (readme: string): boolean => readme.includes(begin) && readme.includes(end);

/** The README with the figures' table between its two markers made anew. Throws when it has no such place. */
export const withFigures = (readme: string, results: Results): string => {
  const from = readme.indexOf(begin);
  const to = readme.indexOf(end);
  if (from < 0 || to < from) throw new Error(`README.md has no ${begin} before an ${end}.`);
  return `${readme.slice(0, from + begin.length)}\n${figuresTable(results)}\n${readme.slice(to)}`;
};

/** Markdown: the figures that were asked for, against their targets, and what they were measured on. */
export const figuresTable = ({ scenarios }: Results): string =>
  [
    "| figure | must reach | reached | |",
    "| --- | --- | --- | --- |",
    ...summaryOf(scenarios).map(({ scenario, figure }) => {
      const target = figure.target === undefined ? "" : formatTarget(figure.target);
      const reached = formatValue(figure) + kinds[figure.kind];
      return `| ${[`${scenario}: ${figure.name}`, target, reached, verdicts[verdictOf(figure)]].map(cell).join(" | ")} |`;
    }),
    "",
    ...origins(scenarios),
    "",
    `Sizes: ${scenarios.map(sizeOf).join("; ")}.`,
  ].join("\n");

const sizeOf = ({ name, options }: ScenarioRecord): string =>
  `${name} with ${Object.entries(options)
    .map(([option, value]) => `${option} ${formatCell(value)}`)
    .join(", ")}`;

const cell = (text: string): string => text.replaceAll("|", "\\|");

/** One sentence for all scenarios that were measured alike. */
const origins = (scenarios: readonly ScenarioRecord[]): readonly string[] => {
  const namesByOrigin = new Map<string, string[]>();
  for (const { name, circumstances } of scenarios) {
    const origin = originOf(circumstances);
    namesByOrigin.set(origin, [...(namesByOrigin.get(origin) ?? []), name]);
  }
  const alike = namesByOrigin.size === 1;
  return [...namesByOrigin].map(
    ([origin, names], at) =>
      `${at === 0 ? "Made by `npm run bench -- --publish`" : "And"}${alike ? "" : ` (${names.join(", ")})`} ${origin}.`,
  );
};

const originOf = ({ startedAt, commit, node, sdk, engine, machine }: Circumstances): string =>
  [
    `on ${startedAt.slice(0, 10)}`,
    ...(commit === null ? [] : [`at ${commit}`]),
    `with Node ${node}, AWS SDK ${sdk}, ${engine}`,
    `on ${machine.cores} cores of ${machine.cpu}, ${machine.memoryGb} GB, ${machine.os}`,
  ].join(", ");
