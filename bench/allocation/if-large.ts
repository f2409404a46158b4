import type { Figure } from "../scenario.ts";

/** A target for a figure, if the pool was large enough to be held against it, and a word if it was not. */
export const ifLarge = (
  { codes, concurrency }: { readonly codes: number; readonly concurrency: number },
  target: NonNullable<Figure["target"]>,
): Pick<Figure, "target" | "note"> =>
  // In a smaller pool the last 1 % is fewer codes than callers, and each caller's memory a few calls: nobody's case.
  codes >= 100 * concurrency
    ? { target }
    : {
        note: `not judged: a pool of ${codes.toLocaleString("en")} is too small for ${concurrency.toLocaleString("en")} at once`,
      };
