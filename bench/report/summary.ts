import type { ScenarioRecord } from "../results/results.ts";
import type { Figure } from "../scenario.ts";

export interface SummaryLine {
  readonly scenario: string;
  readonly figure: Figure;
}

/** Figures that are told although nothing is asked of them, as "scenario: figure". */
const stated: ReadonlySet<string> = new Set(["overhead: HTTP allocation to bare write, one at a time"]);

/** What a reader wants first, in the scenarios' order: every figure that has a target, and those that are stated. */
export const summaryOf = (records: readonly ScenarioRecord[]): readonly SummaryLine[] =>
  records.flatMap(({ name, figures }) =>
    figures
      .filter((figure) => figure.target !== undefined || stated.has(`${name}: ${figure.name}`))
      .map((figure) => ({ scenario: name, figure })),
  );
