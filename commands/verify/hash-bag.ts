import type { Hash } from "../../shared/pool/hash.ts";

const firstCapacity = 1 << 16;
/** Repeats that are remembered: more tell nothing new, and must not fill the memory. */
const mostRepeated = 10_000;

/** Names a hash, so that it can be looked up in a set. */
export const hashName = ({ high, low }: Hash): string => `${high}.${low}`;

/**
 * Finds hashes that come twice, at 8 bytes each: a set of texts would take ten times that and fail at 16.7 million.
 * Two different texts share a hash of 64 bits by chance once in 400,000 runs over ten million; so what is repeated
 * here is a suspicion, and the texts themselves decide.
 */
export class HashBag {
  /** Low half first: on the little-endian machines that Node runs on, each pair reads as one number of 64 bits. */
  #halves: Uint32Array<ArrayBuffer>;
  #count = 0;
  readonly #repeated = new Set<string>();

  /** @param expected how many there will be, if it is known: pages that are not used take no memory. */
  constructor(expected = 0) {
    this.#halves = new Uint32Array(2 * Math.max(firstCapacity, expected));
  }

  get size(): number {
    return this.#count;
  }

  add({ high, low }: Hash): void {
    if (2 * this.#count === this.#halves.length) this.#grow();
    this.#halves[2 * this.#count] = low;
    this.#halves[2 * this.#count + 1] = high;
    this.#count += 1;
  }

  /** Names of the hashes that came more than once. Those whose high half is below `below` come no more: forgets them. */
  repeated(below = 2 ** 32): ReadonlySet<string> {
    const halves = this.#halves;
    new BigUint64Array(halves.buffer, 0, this.#count).sort();
    let forgotten = 0;
    for (let at = 0; at < this.#count; at += 1) {
      const low = halves[2 * at]!;
      const high = halves[2 * at + 1]!;
      if (high < below) forgotten = at + 1;
      const isRepeated = at > 0 && halves[2 * at - 1] === high && halves[2 * at - 2] === low;
      if (isRepeated && this.#repeated.size < mostRepeated) this.#repeated.add(hashName({ high, low }));
    }
    halves.copyWithin(0, 2 * forgotten, 2 * this.#count);
    this.#count -= forgotten;
    return this.#repeated;
  }

  #grow(): void {
    const larger = new Uint32Array(2 * this.#halves.length);
    larger.set(this.#halves);
    this.#halves = larger;
  }
}
