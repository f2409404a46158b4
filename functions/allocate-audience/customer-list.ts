import type { Salt } from "../../shared/pool/hash.ts";
import { hashRange } from "../../shared/pool/loading/hash-range.ts";

/** Buckets larger than this are left to the built-in sort: only many repeats of few customers make them. */
const longestInsertion = 64;

/**
 * Customer ids in flat memory: one byte buffer, and for each id its end and the half of its hash that names its first
 * home cell. 8 bytes and the id's own; 4 more once they are sorted. A `Set` of strings needs 100 and ends at 16.7 million.
 */
export class CustomerList {
  readonly #bytes: Buffer;
  readonly #ends: Uint32Array;
  readonly #hashes: Uint32Array;
  readonly #salt: Salt;
  #added = 0;
  #size = 0;
  #order: Uint32Array | undefined;

  /** `fileBytes` bounds what the ids of a file can take. The memory becomes real, page by page, only as it is filled. */
  constructor(fileBytes: number, most: number, salt: Salt) {
    const capacity = Math.min(most, Math.floor(fileBytes / 2) + 1);
    this.#bytes = Buffer.allocUnsafeSlow(fileBytes);
    this.#ends = new Uint32Array(capacity);
    this.#hashes = new Uint32Array(capacity);
    this.#salt = salt;
  }

  /** How many were added, repeats too. */
  get added(): number {
    return this.#added;
  }

  /** Different customers. Only after `sort`. */
  get count(): number {
    return this.#sorted().length;
  }

  /** Adds the id `source[start, end)`, which may be one that is there already. False when the list is full. */
  add(source: Uint8Array, start: number, end: number): boolean {
    const index = this.#added;
    if (index === this.#ends.length) return false;
    const bytes = this.#bytes;
    const from = this.#size;
    let to = from;
    for (let at = start; at < end; at++) bytes[to++] = source[at]!;
    this.#ends[index] = to;
    this.#hashes[index] = hashRange(bytes, from, to, this.#salt.high);
    this.#size = to;
    this.#added = index + 1;
    return true;
  }

  /**
   * Brings them into the order of their hashes, so that those whose first home is the same cell stand beside each
   * other, whatever the pool's size; leaves out repeats. The same file gives the same order.
   */
  sort(): void {
    const order = this.#byHash();
    this.#order = order.subarray(0, this.#keepFirstOfEach(order));
  }

  /** The customer id at this position of the order. */
  customer(position: number): string {
    const index = this.#sorted()[position]!;
    return this.#bytes.toString("utf8", this.#startOf(index), this.#ends[index]!);
  }

  /** One number out of all customers in their order: two runs over the same file have the same. */
  fingerprint(): number {
    const order = this.#sorted();
    let sum = order.length;
    for (const index of order) sum = (Math.imul(sum, 31) + this.#hashes[index]!) | 0;
    return sum >>> 0;
  }

  #sorted(): Uint32Array {
    if (!this.#order) throw new Error("the customers are not sorted yet");
    return this.#order;
  }

  #startOf(index: number): number {
    return index === 0 ? 0 : this.#ends[index - 1]!;
  }

  /** Hashes are even, so buckets of their first bits hold a few each: one pass fills them, insertion sorts them. */
  #byHash(): Uint32Array {
    const count = this.#added;
    const hashes = this.#hashes;
    const bits = Math.max(1, Math.min(22, Math.ceil(Math.log2(Math.max(2, count / 8)))));
    const shift = 32 - bits;
    const next = new Uint32Array(2 ** bits + 1);
    for (let index = 0; index < count; index++) next[(hashes[index]! >>> shift) + 1]! += 1;
    for (let bucket = 1; bucket < next.length; bucket++) next[bucket]! += next[bucket - 1]!;

    const order = new Uint32Array(count);
    for (let index = 0; index < count; index++) order[next[hashes[index]! >>> shift]!++] = index;
    // Filling has moved each bucket's start to its end.
    let start = 0;
    for (let bucket = 0; bucket < next.length - 1; bucket++) {
      const end = next[bucket]!;
      if (end - start > longestInsertion) this.#sortLongBucket(order, start, end);
      else if (end - start > 1) this.#insertionSort(order, start, end);
      start = end;
    }
    return order;
  }

  #insertionSort(order: Uint32Array, start: number, end: number): void {
    const hashes = this.#hashes;
    for (let next = start + 1; next < end; next++) {
      const index = order[next]!;
      const hash = hashes[index]!;
      let at = next;
      for (; at > start && hashes[order[at - 1]!]! > hash; at--) order[at] = order[at - 1]!;
      order[at] = index;
    }
  }

  #sortLongBucket(order: Uint32Array, start: number, end: number): void {
    const hashes = this.#hashes;
    order.subarray(start, end).sort((one, other) => hashes[one]! - hashes[other]! || one - other);
  }

  /** Moves the first of every customer to the front, in order; answers how many. Equal hashes are compared bytewise. */
  #keepFirstOfEach(order: Uint32Array): number {
    const hashes = this.#hashes;
    let kept = 0;
    let runStart = 0;
    for (const index of order) {
      if (kept > runStart && hashes[order[runStart]!] !== hashes[index]) runStart = kept;
      let isRepeat = false;
      for (let at = runStart; at < kept && !isRepeat; at++) isRepeat = this.#areSame(order[at]!, index);
      if (!isRepeat) order[kept++] = index;
    }
    return kept;
  }

  #areSame(one: number, other: number): boolean {
    const bytes = this.#bytes;
    return (
      bytes.compare(bytes, this.#startOf(other), this.#ends[other]!, this.#startOf(one), this.#ends[one]!) ===
      0
    );
  }
}
