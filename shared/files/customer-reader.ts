import { emptyAudience, noValidCustomers, severalCustomerColumns } from "../domain/audience-refused.ts";
import { unterminatedQuote } from "../domain/file-refused.ts";
import { CR, comma, LF } from "./csv-reader-bytes.ts";
import { guardedText } from "./csv-reader-guard.ts";
import { completeRecords } from "./csv-reader-records.ts";
import { CustomerRow, flawOfCustomerId } from "./customer-row.ts";

/** Where the rows of an audience go. The bytes are only good during the call. */
export interface CustomerSink {
  /** A valid customer id: `bytes[start, end)`, in UTF-8. */
  customer(bytes: Uint8Array, start: number, end: number): void;
  /** A row without a valid one: its line, why, and what stood there. */
  rejected(line: number, reason: string, cell: Uint8Array): void;
  /** After some thousand rows: reading goes on when the promise is fulfilled. */
  afterRows?(rowsRead: number): Promise<void> | undefined;
}

/** Names of a column of customer ids: letters and digits alone, in lower case and in the singular. */
const customerColumnNames = new Set([
  "customer",
  "customerid",
  "customeridentifier",
  "customerkey",
  "customernumber",
]);

/** Whether a cell of the first row is a known word for a column of customer ids: `Customer ID`, `customer_number`. */
const namesCustomerColumn = (cell: string): boolean => {
  const word = cell.toLowerCase().replace(/[^\p{L}\p{N}]/gu, "");
  return customerColumnNames.has(word) || (word.endsWith("s") && customerColumnNames.has(word.slice(0, -1)));
};

const separators = [comma, ";".charCodeAt(0), "\t".charCodeAt(0)] as const;
const mayDelimit = (byte: number): boolean => separators.some((separator) => separator === byte);
const noBytes = Buffer.alloc(0);

/** Where the customer id stands in a row. */
interface Columns {
  readonly separator: number;
  readonly count: number;
  readonly customer: number;
}

/**
 * Reads a CSV file of customer ids in one pass, with memory for one chunk and one row. Answers the rows with content,
 * the header left out.
 *
 * One column, with or without a header; more if the header names exactly one column of customer ids, separated by
 * commas or, when the header shows it, by semicolons or tabs. Blanks around a cell are no part of it, those within
 * quotation marks are: an id is compared exactly.
 *
 * Throws `AudienceRefused` or `FileRefused` when the file as a whole cannot be read.
 */
export const readCustomers = async (
  source: AsyncIterable<Uint8Array>,
  sink: CustomerSink,
): Promise<number> => {
  const reader = new CustomerReader(sink);
  for await (const bytes of guardedText(source)) await reader.read(bytes);
  return reader.finish();
};

class CustomerReader {
  readonly #sink: CustomerSink;
  readonly #row = new CustomerRow();
  /** Bytes of a row that is not complete yet. */
  #rest: Buffer = noBytes;
  #line = 1;
  #columns: Columns | undefined;
  #openQuote: number | undefined;
  #endsWithCr = false;
  #rowsRead = 0;
  #customers = 0;

  constructor(sink: CustomerSink) {
    this.#sink = sink;
  }

  async read(chunk: Uint8Array): Promise<void> {
    if (chunk.length === 0) return;
    const data = this.#join(chunk);
    const start = this.#columns === undefined ? this.#readFirstRow(data) : 0;
    const end = this.#columns === undefined ? start : this.#readRows(data, start, this.#columns);
    // A CRLF torn between two chunks: the line feed would count as one more line.
    this.#endsWithCr = end === data.length && data[end - 1] === CR;
    this.#rest = data.subarray(end);
    await this.#sink.afterRows?.(this.#rowsRead);
  }

  async finish(): Promise<number> {
    if (this.#rest.length > 0) await this.read(Buffer.of(LF));
    if (this.#openQuote !== undefined) throw unterminatedQuote(this.#openQuote);
    if (this.#columns === undefined) throw emptyAudience();
    if (this.#customers === 0) throw noValidCustomers(this.#rowsRead);
    return this.#rowsRead;
  }

  /** The incomplete row and the new bytes; a line feed whose carriage return ended the bytes before is left out. */
  #join(chunk: Uint8Array): Buffer {
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    const fresh = this.#endsWithCr && bytes[0] === LF ? bytes.subarray(1) : bytes;
    this.#endsWithCr = false;
    return this.#rest.length === 0 ? fresh : Buffer.concat([this.#rest, fresh]);
  }

  /** Finds the column by the first row with content; answers where reading goes on. */
  #readFirstRow(data: Buffer): number {
    const first = completeRecords(data, 0, this.#line, mayDelimit, 1);
    this.#openQuote = first.openQuote;
    if (first.lines.length === 0) {
      this.#line = first.line;
      return first.end;
    }
    const rows =
      first.misquoted.size > 0
        ? []
        : separators.map((separator) => ({ separator, names: namesIn(first.block, separator) }));
    const named = rows.find(({ names }) => names.length > 1 && names.some(namesCustomerColumn));
    const single = rows.find(({ names }) => names.length === 1 && namesCustomerColumn(names[0]!));
    const torn = rows.find(({ names, separator }) => names.length > 1 && separator !== separators[1]);

    const header = named ?? single;
    if (header === undefined) {
      if (torn)
        throw severalCustomerColumns(`${torn.names.length} columns, none named as a column of customer ids`);
      this.#columns = { separator: comma, count: 1, customer: 0 };
      return 0;
    }
    const customerColumns = header.names.filter(namesCustomerColumn);
    if (customerColumns.length > 1)
      throw severalCustomerColumns(`"${customerColumns.map((name) => name.slice(0, 40)).join('", "')}"`);
    this.#columns = {
      separator: header.separator,
      count: header.names.length,
      customer: header.names.findIndex(namesCustomerColumn),
    };
    this.#line = first.line;
    return first.end;
  }

  /** Answers where the first incomplete row starts. */
  #readRows(data: Buffer, from: number, columns: Columns): number {
    const { separator } = columns;
    const { block, lines, misquoted, ...records } = completeRecords(
      data,
      from,
      this.#line,
      (byte) => byte === separator,
    );
    let at = 0;
    for (const [index, line] of lines.entries()) {
      if (misquoted.has(index)) {
        this.#reject(line, "has a quotation mark in the wrong place", noBytes);
        continue;
      }
      at = this.#row.read(block, at, separator, columns.customer);
      this.#take(line, block, columns.count);
    }
    this.#line = records.line;
    this.#openQuote = records.openQuote;
    return records.end;
  }

  #take(line: number, block: Buffer, expected: number): void {
    const { columns, filledColumns, from, to } = this.#row;
    const flaw = flawOfShape(columns, filledColumns, expected) ?? flawOfCell(block, from, to);
    if (flaw !== undefined) {
      this.#reject(line, flaw, block.subarray(from, to));
      return;
    }
    this.#rowsRead += 1;
    this.#customers += 1;
    this.#sink.customer(block, from, to);
  }

  #reject(line: number, reason: string, cell: Uint8Array): void {
    this.#rowsRead += 1;
    this.#sink.rejected(line, reason, cell);
  }
}

const flawOfShape = (columns: number, filled: number, expected: number): string | undefined => {
  // Empty cells behind the last column are what spreadsheets leave.
  if (columns >= expected && filled <= expected) return undefined;
  if (expected === 1) return "has more than one column";
  const found = columns < expected ? columns : filled;
  return `has ${found} ${found === 1 ? "column" : "columns"} where the header has ${expected}`;
};

const flawOfCell = (bytes: Buffer, from: number, to: number): string | undefined =>
  to === from ? "has no customer id" : flawOfCustomerId(bytes, from, to);

/** What the record says under this separator; empty cells at its end are left out. */
const namesIn = (record: Buffer, separator: number): readonly string[] => {
  const names: string[] = [];
  const row = new CustomerRow();
  for (let column = 0; column === 0 || column < row.columns; column++) {
    const copy = Buffer.from(record);
    row.read(copy, 0, separator, column);
    names.push(copy.toString("utf8", row.from, row.to).trim());
  }
  return names.slice(0, Math.max(1, row.filledColumns));
};
