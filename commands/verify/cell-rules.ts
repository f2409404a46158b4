import { type Cell, tombstone } from "../../shared/pool/cell.ts";
import type { Generation } from "../../shared/pool/generation.ts";
import { type Hash, hashOf, type Salt } from "../../shared/pool/hash.ts";
import { shardOf } from "../../shared/pool/layout.ts";
import type { Rule } from "./findings.ts";

/** A breach within what was read at one moment. */
export interface Breach {
  readonly rule: Rule;
  readonly detail: string;
}

/** What is wrong with a cell by itself. A cell is read as a whole, so no write under way can explain it. */
export const breachesOfCell = ({ capacity, codes, tokens, stamps }: Cell): readonly Breach[] => {
  const breaches: Breach[] = [];
  if (tokens.length > capacity)
    breaches.push({ rule: "overfull", detail: `${tokens.length} holders, ${capacity} codes to give out` });
  if (capacity > codes.length)
    breaches.push({ rule: "capacity-too-large", detail: `${capacity} to give out, ${codes.length} codes` });
  if (stamps.length !== tokens.length)
    breaches.push({ rule: "stamps-differ", detail: `${tokens.length} holders, ${stamps.length} times` });
  const living = tokens.filter((token) => token !== tombstone);
  const holders = new Set(living).size;
  if (holders < living.length)
    breaches.push({ rule: "holder-twice", detail: `${living.length} slots of it have ${holders} holders` });
  return breaches;
};

const isBehind = (one: Hash, other: Hash): boolean =>
  one.high !== other.high ? one.high > other.high : one.low > other.low;

/** Follows a shard's codes in the order of its cells: look-up relies on their being in the order of their hashes. */
export class CodeOrder {
  readonly #generation: Generation;
  readonly #salt: Salt;
  readonly #shard: number;
  #last: { readonly hash: Hash; readonly code: string } | undefined;

  constructor(generation: Generation, salt: Salt, shard: number) {
    this.#generation = generation;
    this.#salt = salt;
    this.#shard = shard;
  }

  /** The code's hash, and what is wrong with where it lies. */
  next(code: string): { readonly hash: Hash; readonly breach: Breach | undefined } {
    const hash = hashOf(code, this.#salt);
    const last = this.#last;
    this.#last = { hash, code };
    return { hash, breach: this.#breach(hash, code, last) };
  }

  #breach(hash: Hash, code: string, last: { hash: Hash; code: string } | undefined): Breach | undefined {
    const shard = shardOf(hash, this.#generation.shards);
    if (shard !== this.#shard)
      return { rule: "code-misplaced", detail: `a code whose hash belongs to shard ${shard}` };
    if (last && isBehind(last.hash, hash))
      return { rule: "code-misplaced", detail: "a code behind one with a larger hash" };
    if (last?.code === code) return { rule: "code-twice", detail: "a code behind the same one" };
    return undefined;
  }
}
