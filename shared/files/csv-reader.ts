import {
  ambiguousColumns,
  binaryFile,
  emptyFile,
  noValidCodes,
  rowTooLong,
  unterminatedQuote,
} from "../domain/file-refused.ts";
import { byteKind, CR, comma, kindOfByte, LF, quote } from "./csv-reader-bytes.ts";
import { CsvCells } from "./csv-reader-cells.ts";
import { flawOfCode, maxCodeBytes, trimmed } from "./csv-reader-code.ts";
import { guardedText } from "./csv-reader-guard.ts";
import { namesCodeColumn } from "./csv-reader-header.ts";
import { completeRecords, maxRowBytes } from "./csv-reader-records.ts";

/** Where the rows of a file go. The bytes are only good during the call. */
export interface CodeSink {
  /** A valid code: `bytes[start, end)`. */
  code(bytes: Uint8Array, start: number, end: number): void;
  /** A row that is no code: its line, why, and what stood there. */
  rejected(line: number, reason: string, cell: Uint8Array): void;
  /** After some thousand rows: reading goes on when the promise is fulfilled. */
  afterRows?(rowsRead: number): Promise<void> | undefined;
}

export interface ReadFile {
  /** The code column's name as given, or null when the first row is a code. */
  readonly header: string | null;
  /** Rows with content, the header left out. */
  readonly rowsRead: number;
}

/** Where the code stands in a row. One column is the case that is worth its own, fast path. */
interface Columns {
  readonly cells: CsvCells;
  readonly separator: number;
  readonly count: number;
  readonly code: number;
}

const noBytes = Buffer.alloc(0);
const separators = [",", ";", "\t"] as const;
const mayDelimit = (byte: number): boolean =>
  separators.some((separator) => separator.charCodeAt(0) === byte);

/**
 * Reads a CSV file of codes in one pass, with memory for one chunk and one row.
 *
 * One column, with or without a header; more if the header names exactly one code column, separated by commas or, when
 * the header shows it, by semicolons or tabs. Blocks without a quotation mark in files of one column are read byte by
 * byte; everything else goes through csv-parser. Both ways give the same.
 *
 * Throws `FileRefused` when the file as a whole cannot be read.
 */
export const readCodes = async (source: AsyncIterable<Uint8Array>, sink: CodeSink): Promise<ReadFile> => {
  const reader = new CsvReader(sink);
  try {
    for await (const bytes of guardedText(source)) await reader.read(bytes);
    return await reader.finish();
  } finally {
    reader.close();
  }
};

class CsvReader {
  readonly #sink: CodeSink;
  /** Bytes of a row that is not complete yet. */
  #rest: Buffer = noBytes;
  #line = 1;
  #columns: Columns | undefined;
  #header: string | null = null;
  #openQuote: number | undefined;
  #endsWithCr = false;
  #rowsRead = 0;
  #codes = 0;

  constructor(sink: CodeSink) {
    this.#sink = sink;
  }

  async read(chunk: Uint8Array): Promise<void> {
    if (chunk.length === 0) return;
    const data = this.#join(chunk);
    let start = 0;
    if (this.#columns === undefined) {
      start = await this.#readFirstRow(data);
      if (this.#columns === undefined) {
        this.#rest = data.subarray(start);
        return;
      }
    }
    const columns: Columns = this.#columns;
    const isSimple = columns.count === 1 && columns.separator === comma && !data.includes(quote, start);
    const end = isSimple ? this.#readLines(data, start) : await this.#readRecords(data, start, columns);
    this.#endsWithCr = end === data.length && data[end - 1] === CR;
    this.#rest = data.subarray(end);
    await this.#sink.afterRows?.(this.#rowsRead);
  }

  async finish(): Promise<ReadFile> {
    if (this.#rest.length > 0) await this.read(Buffer.of(LF));
    if (this.#openQuote !== undefined) throw unterminatedQuote(this.#openQuote);
    if (this.#columns === undefined) throw emptyFile();
    if (this.#codes === 0) throw noValidCodes(this.#rowsRead);
    return { header: this.#header, rowsRead: this.#rowsRead };
  }

  close(): void {
    this.#columns?.cells.close();
  }

  /** The incomplete row and the new bytes; a line feed whose carriage return ended the bytes before is left out. */
  #join(chunk: Uint8Array): Buffer {
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    const fresh = this.#endsWithCr && bytes[0] === LF ? bytes.subarray(1) : bytes;
    this.#endsWithCr = false;
    return this.#rest.length === 0 ? fresh : Buffer.concat([this.#rest, fresh]);
  }

  /** Finds the code column by the first row with content; answers where reading goes on. */
  async #readFirstRow(data: Buffer): Promise<number> {
    const first = completeRecords(data, 0, this.#line, mayDelimit, 1);
    this.#openQuote = first.openQuote;
    if (first.lines.length === 0) {
      this.#line = first.line;
      this.#endsWithCr = first.end === data.length && data[first.end - 1] === CR;
      return first.end;
    }
    const rows = first.misquoted.size > 0 ? [] : await cellsBySeparator(first.block);
    const named = rows.find(({ names }) => names.length > 1 && names.some(namesCodeColumn));
    const single = rows.find(({ names }) => names.length === 1 && namesCodeColumn(names[0]!));
    const torn = rows.find(({ names, separator }) => names.length > 1 && separator !== ";");

    const chosen = named ?? single;
    if (chosen === undefined) {
      if (torn) throw ambiguousColumns(`${torn.names.length} columns, none named as a code column`);
      this.#columns = { cells: new CsvCells(","), separator: comma, count: 1, code: 0 };
      return 0;
    }
    const codeColumns = chosen.names.filter(namesCodeColumn);
    if (codeColumns.length > 1)
      throw ambiguousColumns(`"${codeColumns.map((name) => name.slice(0, 40)).join('", "')}"`);
    this.#columns = {
      cells: new CsvCells(chosen.separator),
      separator: chosen.separator.charCodeAt(0),
      count: chosen.names.length,
      code: chosen.names.findIndex(namesCodeColumn),
    };
    this.#header = codeColumns[0]!;
    this.#line = first.line;
    // A CRLF torn between two chunks: the line feed would count as one more line.
    this.#endsWithCr = first.end === data.length && data[first.end - 1] === CR;
    return first.end;
  }

  /** The fast path: rows of one column, no quotation mark among these bytes. Answers where the last, incomplete row starts. */
  #readLines(data: Buffer, from: number): number {
    const sink = this.#sink;
    const { length } = data;
    let start = from;
    while (start < length) {
      let at = start;
      while (at < length && kindOfByte[data[at]!] === byteKind.printable) at += 1;
      if (at < length && at > start && at - start <= maxCodeBytes && isLineBreak(data[at]!)) {
        this.#codes += 1;
        this.#rowsRead += 1;
        sink.code(data, start, at);
      } else {
        while (at < length && !isLineBreak(data[at]!)) {
          if (kindOfByte[data[at]!] === byteKind.nul) throw binaryFile(this.#line);
          at += 1;
        }
        if (at - start > maxRowBytes) throw rowTooLong(this.#line, maxRowBytes);
        if (at === length) return start;
        this.#readLine(data, start, at);
      }
      this.#line += 1;
      start = data[at] === CR && data[at + 1] === LF ? at + 2 : at + 1;
    }
    return length;
  }

  /** A line that is not simply a code: blanks around it, commas behind it, empty, or wrong. */
  #readLine(data: Buffer, start: number, end: number): void {
    const { from, to } = trimmed(data, start, end);
    let last = to;
    while (last > from && (data[last - 1] === comma || kindOfByte[data[last - 1]!] === byteKind.blank))
      last -= 1;
    if (last === from) return;
    const firstComma = data.subarray(from, last).indexOf(comma);
    if (firstComma >= 0) this.#reject(this.#line, "has more than one column", data.subarray(from, to));
    else this.#take(this.#line, data, from, last);
  }

  /** The general path: what csv-parser makes of the complete records. Answers where the first incomplete one starts. */
  async #readRecords(data: Buffer, from: number, columns: Columns): Promise<number> {
    const { separator, cells } = columns;
    const records = completeRecords(data, from, this.#line, (byte) => byte === separator);
    const { lines, misquoted } = records;
    const rows = await cells.parse(records.block, lines.length - misquoted.size);
    let next = 0;
    lines.forEach((line, index) => {
      if (misquoted.has(index)) this.#reject(line, "has a quotation mark in the wrong place", noBytes);
      else this.#readCells(line, rows[next++]!, columns);
    });
    this.#line = records.line;
    this.#openQuote = records.openQuote;
    return records.end;
  }

  #readCells(line: number, row: readonly Buffer[], columns: Columns): void {
    const ranges = row.map((cell) => trimmed(cell, 0, cell.length));
    let count = row.length;
    while (count > columns.count && isEmpty(ranges[count - 1]!)) count -= 1;
    const cell = row[columns.code] ?? noBytes;
    if (count !== columns.count) {
      const reason =
        columns.count === 1
          ? "has more than one column"
          : `has ${count} ${count === 1 ? "column" : "columns"} where the header has ${columns.count}`;
      this.#reject(line, reason, cell);
      return;
    }
    const range = ranges[columns.code]!;
    if (!isEmpty(range)) this.#take(line, cell, range.from, range.to);
    else if (!ranges.every(isEmpty)) this.#reject(line, "has no code", noBytes);
  }

  #take(line: number, bytes: Buffer, from: number, to: number): void {
    const flaw = flawOfCode(bytes, from, to);
    if (flaw !== undefined) {
      this.#reject(line, flaw, bytes.subarray(from, to));
      return;
    }
    this.#rowsRead += 1;
    this.#codes += 1;
    this.#sink.code(bytes, from, to);
  }

  #reject(line: number, reason: string, cell: Uint8Array): void {
    this.#rowsRead += 1;
    this.#sink.rejected(line, reason, cell);
  }
}

const isLineBreak = (byte: number): boolean => byte === LF || byte === CR;
const isEmpty = ({ from, to }: { readonly from: number; readonly to: number }): boolean => from === to;

/** What the first row says under each separator; empty cells at its end are left out. */
const cellsBySeparator = async (record: Buffer) => {
  const rows: { readonly separator: string; readonly names: readonly string[] }[] = [];
  for (const separator of separators) {
    const cells = new CsvCells(separator);
    const [row = []] = await cells.parse(Buffer.from(record), 1);
    cells.close();
    const names = row.map((cell) => cell.toString("utf8").trim());
    while (names.length > 1 && names.at(-1) === "") names.pop();
    rows.push({ separator, names });
  }
  return rows;
};
