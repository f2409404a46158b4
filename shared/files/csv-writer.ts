import { stringify } from "csv-stringify/sync";

export interface CsvOptions {
  /** Prefixes cells that a spreadsheet would run as a formula with an apostrophe. */
  readonly formulaSafe: boolean;
}

/** RFC 4180 with LF: only cells that hold a comma, a quote or a line break are quoted; an empty cell is nothing. */
export const csvLines = (
  rows: readonly (readonly string[])[],
  { formulaSafe }: CsvOptions = { formulaSafe: false },
): string =>
  stringify([...rows], {
    record_delimiter: "\n",
    // A CR needs its quotes too: many readers take it for the end of a line.
    quote_record_delimiter: true,
    escape_formulas: formulaSafe,
  });
