import { describe, expect, it } from "vitest";
import {
  CodeTally,
  codeAt,
  codeFile,
  distinctCodes,
  indexOf,
  mostCodes,
} from "../../../bench/lib/generated-codes.ts";

describe("the bench's codes", () => {
  it("differ, have 12 characters, and tell their index", () => {
    const indexes = [...Array(10_000).keys(), mostCodes - 1];

    const codes = indexes.map(codeAt);

    expect(new Set(codes).size).toBe(indexes.length);
    expect(codes.every((code) => /^SAVE[0-9A-HJKMNP-TV-Z]{8}$/.test(code))).toBe(true);
    expect(codes.map(indexOf)).toEqual(indexes);
    expect(indexOf("SAVE00000001")).toBeUndefined();
    expect(indexOf("SAVE")).not.toBe(1);
  });

  it("make a file whose every hundredth row is a repeat", () => {
    const rows = Buffer.concat([...codeFile(12_345)])
      .toString()
      .trimEnd()
      .split("\r\n")
      .slice(1);

    expect(rows).toHaveLength(12_345);
    expect(new Set(rows).size).toBe(distinctCodes(12_345));
    expect(new Set(rows)).toEqual(
      new Set(Array.from({ length: distinctCodes(12_345) }, (_, index) => codeAt(index))),
    );
  });
});

describe("a tally of codes", () => {
  const tallyOf = (...indexes: readonly number[]): CodeTally => {
    const tally = new CodeTally(3);
    for (const index of indexes) tally.add(codeAt(index));
    return tally;
  };

  it("finds no error when each was there once", () => {
    expect(tallyOf(2, 0, 1).errors).toBe(0);
  });

  it("counts what is missing, doubled, beyond the last, or no code", () => {
    expect(tallyOf(0, 2).errors).toBe(1);
    expect(tallyOf(0, 1, 2, 1).errors).toBe(1);
    expect(tallyOf(0, 1, 2, 3).errors).toBe(1);
    const foreign = tallyOf(0, 1, 2);
    foreign.add("SAVE00000001");
    expect(foreign.errors).toBe(1);
  });
});
