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
    "| scenario | size | measured | at |",
    "| --- | --- | --- | --- |",
    ...scenarios.map(
      ({ name, options, circumstances: { startedAt, commit } }) =>
        `| ${[name, sizeOf(options), startedAt.slice(0, 10), commit ?? ""].map(cell).join(" | ")} |`,
    ),
    "",
    ...madeOn(scenarios),
  ].join("\n");

const sizeOf = (options: ScenarioRecord["options"]): string =>
  Object.entries(options)
    .map(([option, value]) => `${option} ${formatCell(value)}`)
    .join(", ");

const cell = (text: string): string => text.replaceAll("|", "\\|");

/** One sentence for all scenarios that were measured alike. The kernel and what else ran is in the results. */
const madeOn = (scenarios: readonly ScenarioRecord[]): readonly string[] => {
  const namesByPlace = new Map<string, string[]>();
  for (const { name, circumstances } of scenarios) {
    const place = placeOf(circumstances);
    namesByPlace.set(place, [...(namesByPlace.get(place) ?? []), name]);
  }
  const alike = namesByPlace.size === 1;
  return [...namesByPlace].map(
    ([place, names]) =>
      `${alike ? "Made" : `Made (${names.join(", ")})`} by \`npm run bench -- --publish\` ${place}.`,
  );
};

const placeOf = ({ node, sdk, engine, machine }: Circumstances): string =>
  `on ${machine.cores} cores of ${machine.cpu}, ${machine.memoryGb} GB, with Node ${node}, AWS SDK ${sdk}, ${engine}`;
