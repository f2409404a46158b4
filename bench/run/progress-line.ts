import colors from "picocolors";

/** One line that tells what is being done: redrawn in place on a terminal, left out elsewhere. */
export interface ProgressLine {
  show(text: string, done?: number): void;
  /** Takes the line away. */
  clear(): void;
  /** Takes the line away and leaves this one for good. */
  leave(text: string): void;
}

interface Output {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

const barCells = 20;
const clearLine = "\r\u001b[2K";

/** @param output where to draw: not where the report goes, so that the report can go to a file. */
export const progressLine = (output: Output = process.stderr): ProgressLine => ({
  show: (text, done) => {
    if (!output.isTTY) return;
    const bar =
      done === undefined ? "" : `${barOf(done)} ${`${Math.floor(within(done) * 100)} %`.padStart(5)}  `;
    // A line that wraps could not be taken away again.
    const room = (output.columns ?? 80) - bar.length - 1;
    output.write(`${clearLine}${colors.dim(bar)}${text.slice(0, Math.max(0, room))}`);
  },
  clear: () => {
    if (output.isTTY) output.write(clearLine);
  },
  leave: (text) => {
    output.write(`${output.isTTY ? clearLine : ""}${text}\n`);
  },
});

const within = (done: number): number => Math.min(1, Math.max(0, done));

const barOf = (done: number): string => {
  const filled = Math.round(within(done) * barCells);
  return "█".repeat(filled) + "░".repeat(barCells - filled);
};
