import type { Results } from "../results/results.ts";
import { drawLife } from "./life-picture.ts";
import { drawLoading } from "./loading-picture.ts";

/** A picture of published figures, as a file of `bench/pictures/`. */
export interface Picture {
  readonly file: string;
  /** SVG. Throws when the results lack what it shows. */
  draw(results: Results): string;
}

export const pictures: readonly Picture[] = [
  { file: "life.svg", draw: drawLife },
  { file: "loading.svg", draw: drawLoading },
];
