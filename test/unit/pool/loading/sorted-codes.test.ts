import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { hashOf } from "../../../../shared/pool/hash.ts";
import { CodeTable } from "../../../../shared/pool/loading/code-table.ts";
import { hashRange } from "../../../../shared/pool/loading/hash-range.ts";
import { SortedCodes } from "../../../../shared/pool/loading/sorted-codes.ts";
import { salt, sorted, tableOf, textsOf } from "./codes.ts";

const code = fc.stringMatching(/^[!-~]{1,40}$/);
const repeated = fc.array(fc.constantFrom("A", "B", "CC", "CD", "longer-than-sixteen-bytes"), {
  maxLength: 400,
});

const inHashOrder = (codes: Iterable<string>): string[] =>
  [...codes].sort((one, other) => {
    const [a, b] = [hashOf(one, salt), hashOf(other, salt)];
    return a.high - b.high || a.low - b.low;
  });

describe("hashRange", () => {
  it("is the hash that allocation and look-up use", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 100 }), fc.nat(20), (text, offset) => {
        const bytes = Buffer.concat([Buffer.alloc(offset, 7), Buffer.from(text)]);
        const { high, low } = hashOf(text, salt);

        expect(hashRange(bytes, offset, bytes.length, salt.high)).toBe(high);
        expect(hashRange(bytes, offset, bytes.length, salt.low)).toBe(low);
      }),
    );
  });
});

describe("sorted codes", () => {
  it("hold every code once, in the order of their hashes", () => {
    fc.assert(
      fc.property(fc.array(code, { maxLength: 300 }), repeated, (some, others) => {
        const all = [...some, ...others];

        expect(textsOf(sorted(all))).toEqual(inHashOrder(new Set(all)));
      }),
    );
  });

  it("stay exact when few codes are repeated many times", () => {
    const codes = Array.from({ length: 30_000 }, (_, index) => `C${index % 7}`);

    expect(new Set(textsOf(sorted(codes)))).toEqual(new Set(["C0", "C1", "C2", "C3", "C4", "C5", "C6"]));
  });

  it("keep different codes whose hashes are equal, and know them apart", () => {
    // An unsalted hash of nothing but zeros stands for a collision of 64 bits, which chance will not bring.
    const table = tableOf(["A", "B", "A", "C", "B", "B"]);
    table.high.fill(5);
    table.low.fill(6);

    expect(textsOf(new SortedCodes(table))).toEqual(["A", "B", "C"]);
  });

  it("drop what the pool holds, and only that", () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(code, { maxLength: 200 }),
        fc.array(code, { maxLength: 50 }),
        (own, foreign) => {
          const pool = [...own.filter((_, index) => index % 3 === 0), ...foreign];
          const codes = sorted(own);

          const dropped = pool.filter((each) => codes.drop(each));
          codes.removeDropped();

          const rest = own.filter((each) => !pool.includes(each));
          expect(textsOf(codes)).toEqual(inHashOrder(rest));
          expect(dropped.length).toBe(own.length - rest.length);
          expect(rest.every((each) => codes.drop(each))).toBe(true);
        },
      ),
    );
  });

  it("have a fingerprint that tells sets apart", () => {
    expect(sorted(["A", "B", "C"]).fingerprint()).toBe(sorted(["C", "A", "B", "A"]).fingerprint());
    expect(sorted(["A", "B", "C"]).fingerprint()).not.toBe(sorted(["A", "B", "D"]).fingerprint());
  });
});

describe("a code table", () => {
  it("says when it is full", () => {
    const table = new CodeTable(100, 2, salt);
    const add = (text: string) => table.add(Buffer.from(text), 0, text.length);

    expect([add("A"), add("B"), add("C")]).toEqual([true, true, false]);
    expect(table.count).toBe(2);
  });
});
