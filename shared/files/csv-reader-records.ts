import { binaryFile, rowTooLong, unterminatedQuote } from "../domain/file-refused.ts";
import { byteKind, CR, kindOfByte, LF, quote } from "./csv-reader-bytes.ts";

/** Longest row in bytes, quotes and line breaks in it included: what is longer is no row of codes. */
export const maxRowBytes = 64 * 1024;

/** Complete records of some bytes, made fit for csv-parser. */
export interface Records {
  /** The well-formed records, each ended by one line feed, blanks at the start of cells left out. */
  readonly block: Buffer;
  /** The line on which each record starts, well-formed or not, in order. */
  readonly lines: readonly number[];
  /** Places in `lines` of records with a quotation mark in the wrong place; these are not in the block. */
  readonly misquoted: ReadonlySet<number>;
  /** Where the first incomplete record starts, and on which line. */
  readonly end: number;
  readonly line: number;
  /** The line on which a quote opens that is not closed yet. */
  readonly openQuote: number | undefined;
}

const inside = { cellStart: 0, plain: 1, quoted: 2, afterQuote: 3 } as const;

/**
 * Finds records as RFC 4180 has them: a quote opens at the start of a cell only, a doubled one is a quote, line breaks
 * (LF, CRLF or CR) within quotes belong to the cell. Records without content are left out; their lines count.
 * Works through `data` from `from`, on line `line`, until `most` records are complete.
 */
export const completeRecords = (
  data: Buffer,
  from: number,
  line: number,
  isDelimiter: (byte: number) => boolean,
  most = Number.POSITIVE_INFINITY,
): Records => {
  const block = Buffer.allocUnsafe(data.length - from + 1);
  const lines: number[] = [];
  const misquoted = new Set<number>();
  let written = 0;
  let recordStart = from;
  let recordLine = line;
  let quoteLine = line;

  while (lines.length < most) {
    const blockStart = written;
    let at = recordStart;
    let state: number = inside.cellStart;
    let isBlank = true;
    let isMisquoted = false;
    let currentLine = recordLine;

    for (; ; at++) {
      if (at >= data.length) {
        return {
          block: block.subarray(0, blockStart),
          lines,
          misquoted,
          end: recordStart,
          line: recordLine,
          openQuote: state === inside.quoted ? quoteLine : undefined,
        };
      }
      const byte = data[at]!;
      const kind = kindOfByte[byte];
      if (kind === byteKind.nul) throw binaryFile(currentLine);
      const isLineBreak = kind === byteKind.lineBreak;
      if (isLineBreak && state !== inside.quoted) break;
      if (at - recordStart >= maxRowBytes)
        throw state === inside.quoted ? unterminatedQuote(quoteLine) : rowTooLong(recordLine, maxRowBytes);

      if (state === inside.quoted) {
        if (byte === quote) {
          if (data[at + 1] === quote) {
            block[written++] = byte;
            at += 1;
            isBlank = false;
          } else state = inside.afterQuote;
        } else {
          isBlank &&= kind === byteKind.blank || isLineBreak;
          if (isLineBreak && !(byte === CR && data[at + 1] === LF)) currentLine += 1;
        }
      } else if (isDelimiter(byte)) state = inside.cellStart;
      else if (kind === byteKind.blank && state !== inside.plain) continue;
      else if (byte === quote && state === inside.cellStart) {
        state = inside.quoted;
        quoteLine = currentLine;
      } else {
        isMisquoted ||= byte === quote || state === inside.afterQuote;
        isBlank = false;
        state = inside.plain;
      }
      block[written++] = byte;
    }

    if (isMisquoted) misquoted.add(lines.length);
    if (isBlank || isMisquoted) written = blockStart;
    else block[written++] = LF;
    if (!isBlank) lines.push(recordLine);
    recordStart = data[at] === CR && data[at + 1] === LF ? at + 2 : at + 1;
    recordLine = currentLine + 1;
  }
  return {
    block: block.subarray(0, written),
    lines,
    misquoted,
    end: recordStart,
    line: recordLine,
    openQuote: undefined,
  };
};
