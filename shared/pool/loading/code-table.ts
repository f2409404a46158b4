import type { Salt } from "../hash.ts";
import { hashRange } from "./hash-range.ts";

/**
 * Codes in the order of a file, in flat memory: one byte buffer, one array of ends, two halves of a hash.
 * 24 bytes and the code's own for each; a `Set` of strings needs 100 and ends at 16.7 million.
 */
export class CodeTable {
  readonly bytes: Buffer;
  readonly ends: Uint32Array;
  readonly high: Uint32Array;
  readonly low: Uint32Array;
  readonly salt: Salt;
  #count = 0;

  /**
   * `fileBytes` bounds what the codes of a file can take: at least one byte each, and a line break. The memory is
   * asked for at once and becomes real, page by page, only as it is filled.
   */
  constructor(fileBytes: number, maxCodes: number, salt: Salt) {
    const capacity = Math.min(maxCodes, Math.floor(fileBytes / 2) + 1);
    this.bytes = Buffer.allocUnsafeSlow(fileBytes);
    this.ends = new Uint32Array(capacity);
    this.high = new Uint32Array(capacity);
    this.low = new Uint32Array(capacity);
    this.salt = salt;
  }

  get count(): number {
    return this.#count;
  }

  /** Bytes of all codes together. */
  get size(): number {
    return this.#count === 0 ? 0 : this.ends[this.#count - 1]!;
  }

  /** Adds the code `source[start, end)`, which may be one that is there already. False when the table is full. */
  add(source: Uint8Array, start: number, end: number): boolean {
    const index = this.#count;
    if (index === this.ends.length) return false;
    const { bytes } = this;
    let to = this.size;
    const from = to;
    for (let at = start; at < end; at++) bytes[to++] = source[at]!;
    this.ends[index] = to;
    this.high[index] = hashRange(bytes, from, to, this.salt.high);
    this.low[index] = hashRange(bytes, from, to, this.salt.low);
    this.#count = index + 1;
    return true;
  }
}
