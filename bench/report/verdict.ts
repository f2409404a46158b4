import type { Figure } from "../scenario.ts";

export type Verdict = "met" | "missed" | "not judged";

/** Whether a figure reaches its target. What is not a number reaches none. */
export const verdictOf = ({ value, target }: Pick<Figure, "value" | "target">): Verdict => {
  if (target === undefined) return "not judged";
  const met = "atMost" in target ? value <= target.atMost : value >= target.atLeast;
  return met ? "met" : "missed";
};

/** Whether a miss is the code's fault on any machine: what `--check` fails on. */
export const isFailure = (figure: Pick<Figure, "value" | "target" | "kind">): boolean =>
  figure.kind === "exact" && verdictOf(figure) === "missed";
