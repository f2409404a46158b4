import type { Transform } from "node:stream";
import csvParser from "csv-parser";

/**
 * Takes complete records apart with csv-parser. Records come in blocks, each ended by one line feed, well-formed, none
 * of them blank: what csv-parser does not guard against (a byte order mark, lone carriage returns, blank lines,
 * unterminated quotes, line numbers) is settled before.
 */
export class CsvCells {
  readonly #parser: Transform;
  #rows: Buffer[][] = [];
  #fail: (error: Error) => void = () => {};

  constructor(separator: string) {
    this.#parser = csvParser({ headers: false, raw: true, separator });
    this.#parser.on("data", (row: Record<number, Buffer>) => this.#rows.push(Object.values(row)));
    this.#parser.on("error", (error) => this.#fail(error));
  }

  /** The cells of each record as raw bytes, quotes taken off. The block's bytes are overwritten. */
  async parse(block: Buffer, records: number): Promise<readonly (readonly Buffer[])[]> {
    if (records === 0) return [];
    this.#rows = [];
    await new Promise<void>((resolve, reject) => {
      this.#fail = reject;
      // The parser has taken the block when it calls back, and its rows have flowed out one turn later.
      this.#parser.write(block, (error) => (error ? reject(error) : setImmediate(resolve)));
    });
    if (this.#rows.length !== records)
      throw new Error(`csv-parser made ${this.#rows.length} rows of ${records} records`);
    return this.#rows;
  }

  close(): void {
    this.#parser.destroy();
  }
}
