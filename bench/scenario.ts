/** How much of a scenario to run: `small` ends within seconds and runs in CI, `full` makes the published figures. */
export type Size = "small" | "full";

/** One measured figure. A reader must be able to tell what it counts, of what, and whether a machine can blur it. */
export interface Figure {
  /** What was measured, in words; unique within its scenario. */
  readonly name: string;
  readonly value: number;
  /** As printed after the value: "write units", "rows/s", "MB", "" for a plain number. */
  readonly unit: string;
  /** What the figure must reach: at most or at least so much. */
  readonly target?: { readonly atMost: number } | { readonly atLeast: number };
  /**
   * `exact`: units, calls, bytes and counts, the same on every machine: CI fails when the target is missed.
   * `timed`: depends on the machine and what else it does: reported, never a reason to fail.
   * `model`: computed by a model of DynamoDB, not measured on it: labelled so wherever it is shown.
   */
  readonly kind: "exact" | "timed" | "model";
  /** How it came about, when the name cannot say it. */
  readonly note?: string;
}

/** A table of a scenario, as printed and as stored: one row per variant (concurrency, fullness, contender...). */
export interface Table {
  readonly title: string;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly (string | number | null)[])[];
}

export interface Outcome {
  readonly figures: readonly Figure[];
  readonly tables: readonly Table[];
}

/** What a scenario is given. Options come from its defaults for the size, then from the command line. */
export interface Run<Options extends Readonly<Record<string, number>>> {
  readonly options: Options;
  /** Reports progress: what is being done, and how much of it, 0 to 1. Drawn on a terminal, silent in a pipe. */
  readonly progress: (what: string, done?: number) => void;
}

/** Part of the bench: a file of `bench/scenarios/` with one of these as its `scenario`. */
export interface Scenario<
  Options extends Readonly<Record<string, number>> = Readonly<Record<string, number>>,
> {
  /** As named on the command line: `npm run bench -- allocate`. */
  readonly name: string;
  readonly summary: string;
  /** Every option is a number and can be set by `--name`. */
  readonly defaults: Readonly<Record<Size, Options>>;
  run(run: Run<Options>): Promise<Outcome>;
}
