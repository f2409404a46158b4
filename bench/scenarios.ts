import type { Scenario } from "./scenario.ts";

/** A scenario in the list, loaded only by who needs it: its figures of memory are to be its own. */
export interface ScenarioEntry {
  readonly name: string;
  /** Whether it holds exact figures against targets, so that `--check` runs it. */
  readonly inCheck: boolean;
  load(): Promise<Scenario>;
}

/** Every scenario, in the order in which it runs and is reported. */
export const scenarioEntries: readonly ScenarioEntry[] = [];
