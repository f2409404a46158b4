import { isUtf8 } from "node:buffer";
import { LF, quote } from "./csv-reader-bytes.ts";

/** Longest customer id, in characters as Unicode counts them: `identifierSchema`. */
const mostCharacters = 128;

const delete_ = 0x7f;
const space = 0x20;

/** Why `bytes[from, to)`, not empty, is no customer id by the contract's rule; undefined when it is one. */
export const flawOfCustomerId = (bytes: Buffer, from: number, to: number): string | undefined => {
  let isAscii = true;
  for (let at = from; at < to; at++) {
    const byte = bytes[at]!;
    if (byte < space || byte === delete_) return "has a control character inside";
    if (byte >= 0x80) isAscii = false;
  }
  if (isAscii) return to - from > mostCharacters ? tooLong : undefined;
  if (!isUtf8(bytes.subarray(from, to))) return "is not valid UTF-8";
  const text = bytes.toString("utf8", from, to);
  if (/\p{Cc}/u.test(text)) return "has a control character inside";
  return [...text].length > mostCharacters ? tooLong : undefined;
};

const tooLong = `is longer than ${mostCharacters} characters`;

/** Takes well-formed records apart, one after the other, without making an object for each. */
export class CustomerRow {
  /** Cells of the row. */
  columns = 0;
  /** Cells up to the last one that is not empty. */
  filledColumns = 0;
  /** Where the wanted cell's text is, quotes and the blanks around an unquoted one taken off; empty when there is none. */
  from = 0;
  to = 0;

  /**
   * Reads the record that starts at `start` and ends with a line feed outside of quotes, as `completeRecords` makes
   * them; answers where the next one starts. Doubled quotes are made single where they stand.
   */
  read(block: Buffer, start: number, separator: number, wanted: number): number {
    this.columns = 0;
    this.filledColumns = 0;
    this.from = start;
    this.to = start;
    for (let at = start; ; ) {
      const column = this.columns;
      let from = at;
      let to: number;
      if (block[at] === quote) {
        from = at + 1;
        to = from;
        for (at = from; ; at++) {
          if (block[at] === quote && block[++at] !== quote) break;
          block[to++] = block[at]!;
        }
      } else {
        while (block[at] !== separator && block[at] !== LF) at += 1;
        to = at;
        while (to > from && isBlank(block[to - 1]!)) to -= 1;
      }
      this.columns = column + 1;
      if (to > from) this.filledColumns = column + 1;
      if (column === wanted) {
        this.from = from;
        this.to = to;
      }
      if (block[at] === LF) return at + 1;
      at += 1;
    }
  }
}

const isBlank = (byte: number): boolean => byte === space || byte === 0x09;
