import type { Salt } from "../hash.ts";
import type { CodeTable } from "./code-table.ts";
import { hashRange } from "./hash-range.ts";

/** Buckets larger than this are left to the built-in sort: only many repeats of few codes make them. */
const longestInsertion = 64;

/** The longest code in bytes. */
const longestCode = 128;

/** Distinct codes in the order of their hashes, in flat memory. */
export class SortedCodes {
  readonly #bytes: Buffer;
  readonly #ends: Uint32Array;
  readonly #salt: Salt;
  readonly #order: Uint32Array;
  readonly #high: Uint32Array;
  readonly #low: Uint32Array;
  readonly #buckets: Buckets;
  readonly #dropped: Uint8Array;
  readonly #wanted = Buffer.alloc(longestCode);
  #count: number;

  constructor(table: CodeTable) {
    const { bytes, ends, salt, count } = table;
    this.#bytes = bytes;
    this.#ends = ends;
    this.#salt = salt;
    this.#order = new Uint32Array(count);
    this.#high = new Uint32Array(count);
    this.#low = new Uint32Array(count);
    this.#buckets = new Buckets(count);
    this.#sort(table);
    this.#count = this.#keepFirstOfEach(count);
    this.#buckets.index(this.#high, this.#count);
    this.#dropped = new Uint8Array(this.#count);
  }

  get count(): number {
    return this.#count;
  }

  /** The code at this position of the order. */
  code(position: number): string {
    const index = this.#order[position]!;
    return this.#bytes.toString("latin1", this.#startOf(index), this.#ends[index]!);
  }

  /** High half of the hash at this position: never smaller than the one before. */
  high(position: number): number {
    return this.#high[position]!;
  }

  /** Position of the first code whose high half is at least `high`; `count` when there is none. */
  firstFrom(high: number): number {
    let from = 0;
    let to = this.#count;
    while (from < to) {
      const middle = (from + to) >>> 1;
      if (this.#high[middle]! < high) from = middle + 1;
      else to = middle;
    }
    return from;
  }

  /** Bytes of all codes together. */
  totalLength(): number {
    let total = 0;
    for (let position = 0; position < this.#count; position++) {
      const index = this.#order[position]!;
      total += this.#ends[index]! - this.#startOf(index);
    }
    return total;
  }

  /** Marks a code as one to leave out; says whether it was there and not marked yet. */
  drop(code: string): boolean {
    const length = code.length;
    if (length > longestCode) return false;
    this.#wanted.write(code, 0, "latin1");
    const high = hashRange(this.#wanted, 0, length, this.#salt.high);
    const low = hashRange(this.#wanted, 0, length, this.#salt.low);
    const end = this.#buckets.endOf(high);
    for (let position = this.#buckets.startOf(high); position < end; position++) {
      if (this.#high[position] !== high || this.#low[position] !== low) continue;
      if (!this.#isCode(this.#order[position]!, this.#wanted, 0, length)) continue;
      if (this.#dropped[position] === 1) return false;
      this.#dropped[position] = 1;
      return true;
    }
    return false;
  }

  /** Leaves out what was marked. The order of the rest stays. */
  removeDropped(): void {
    let kept = 0;
    for (let position = 0; position < this.#count; position++) {
      if (this.#dropped[position] === 1) continue;
      this.#move(position, kept);
      kept += 1;
    }
    this.#count = kept;
    this.#dropped.fill(0);
    this.#buckets.index(this.#high, kept);
  }

  /** One number out of all codes: two runs over the same file and the same pool have the same. */
  fingerprint(): number {
    let sum = this.#count;
    for (let position = 0; position < this.#count; position++)
      sum = (Math.imul(sum, 31) + (this.#high[position]! ^ this.#low[position]!)) | 0;
    return sum >>> 0;
  }

  #startOf(index: number): number {
    return index === 0 ? 0 : this.#ends[index - 1]!;
  }

  /** Hashes are even, so buckets of their first bits hold a few codes each: one pass fills them, insertion sorts them. */
  #sort({ high, low, count }: CodeTable): void {
    const buckets = this.#buckets;
    const next = buckets.countStarts(high, count);
    for (let index = 0; index < count; index++) {
      const hash = high[index]!;
      const position = next[buckets.of(hash)]!++;
      this.#order[position] = index;
      this.#high[position] = hash;
      this.#low[position] = low[index]!;
    }
    let start = 0;
    for (const end of next) {
      if (end - start > longestInsertion) this.#sortLongBucket(start, end);
      else if (end - start > 1) this.#insertionSort(start, end);
      start = end;
    }
  }

  #insertionSort(start: number, end: number): void {
    const highs = this.#high;
    const lows = this.#low;
    const order = this.#order;
    for (let next = start + 1; next < end; next++) {
      const high = highs[next]!;
      const low = lows[next]!;
      const index = order[next]!;
      let at = next;
      while (at > start && (highs[at - 1]! > high || (highs[at - 1] === high && lows[at - 1]! > low))) {
        highs[at] = highs[at - 1]!;
        lows[at] = lows[at - 1]!;
        order[at] = order[at - 1]!;
        at -= 1;
      }
      highs[at] = high;
      lows[at] = low;
      order[at] = index;
    }
  }

  #sortLongBucket(start: number, end: number): void {
    const highs = this.#high.slice(start, end);
    const lows = this.#low.slice(start, end);
    const indexes = this.#order.slice(start, end);
    const sorted = Uint32Array.from(indexes.keys()).sort(
      (one, other) => highs[one]! - highs[other]! || lows[one]! - lows[other]! || one - other,
    );
    sorted.forEach((from, offset) => {
      this.#high[start + offset] = highs[from]!;
      this.#low[start + offset] = lows[from]!;
      this.#order[start + offset] = indexes[from]!;
    });
  }

  /** Moves the first of every code to the front, in order; answers how many there are. Equal hashes are compared bytewise. */
  #keepFirstOfEach(count: number): number {
    let kept = 0;
    let runStart = 0;
    for (let position = 0; position < count; position++) {
      const high = this.#high[position]!;
      const low = this.#low[position]!;
      if (kept > runStart && (this.#high[runStart] !== high || this.#low[runStart] !== low)) runStart = kept;
      if (this.#isRepeat(this.#order[position]!, runStart, kept)) continue;
      this.#move(position, kept);
      kept += 1;
    }
    return kept;
  }

  #isRepeat(index: number, runStart: number, runEnd: number): boolean {
    for (let position = runStart; position < runEnd; position++)
      if (this.#isCode(this.#order[position]!, this.#bytes, this.#startOf(index), this.#ends[index]!))
        return true;
    return false;
  }

  #isCode(index: number, bytes: Uint8Array, start: number, end: number): boolean {
    const from = this.#startOf(index);
    const length = end - start;
    if (this.#ends[index]! - from !== length) return false;
    for (let offset = 0; offset < length; offset++)
      if (this.#bytes[from + offset] !== bytes[start + offset]) return false;
    return true;
  }

  #move(from: number, to: number): void {
    this.#order[to] = this.#order[from]!;
    this.#high[to] = this.#high[from]!;
    this.#low[to] = this.#low[from]!;
  }
}

/** Ranges of the hash by its first bits, about eight codes in each. */
class Buckets {
  readonly #shift: number;
  readonly #starts: Uint32Array;

  constructor(count: number) {
    const bits = Math.max(1, Math.min(22, Math.ceil(Math.log2(Math.max(2, count / 8)))));
    this.#shift = 32 - bits;
    this.#starts = new Uint32Array(2 ** bits + 1);
  }

  of(high: number): number {
    return high >>> this.#shift;
  }

  startOf(high: number): number {
    return this.#starts[this.of(high)]!;
  }

  endOf(high: number): number {
    return this.#starts[this.of(high) + 1]!;
  }

  /** Where each bucket starts once hashes in any order are sorted; the caller moves these on while filling them. */
  countStarts(high: Uint32Array, count: number): Uint32Array {
    this.index(high, count);
    return this.#starts.slice(0, -1);
  }

  index(high: Uint32Array, count: number): void {
    const starts = this.#starts.fill(0);
    for (let index = 0; index < count; index++) starts[(high[index]! >>> this.#shift) + 1]! += 1;
    for (let bucket = 1; bucket < starts.length; bucket++) starts[bucket]! += starts[bucket - 1]!;
  }
}
