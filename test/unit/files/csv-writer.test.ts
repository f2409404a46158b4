import { describe, expect, it } from "vitest";
import { csvLines } from "../../../shared/files/csv-writer.ts";

describe("CSV lines", () => {
  it("end with LF and leave empty cells empty", () => {
    expect(
      csvLines([
        ["a", "", ""],
        ["", "b", "c"],
      ]),
    ).toBe("a,,\n,b,c\n");
  });

  it("are nothing for no rows", () => {
    expect(csvLines([])).toBe("");
  });

  it.each([
    ["a,b", '"a,b"'],
    ['say "hi"', '"say ""hi"""'],
    ["a\nb", '"a\nb"'],
    ["a\rb", '"a\rb"'],
    [" a ", " a "],
    ["größe 🎁", "größe 🎁"],
    ["'a'", "'a'"],
  ])("hold %j as %j", (cell, written) => {
    expect(csvLines([[cell, "x"]])).toBe(`${written},x\n`);
  });

  it.each(["=", "+", "-", "@", "\t"])("disarm a cell that begins with %j, and only when asked to", (sign) => {
    const rows = [[`${sign}1`, `1${sign}`]];

    expect(csvLines(rows, { formulaSafe: true })).toBe(`'${sign}1,1${sign}\n`);
    expect(csvLines(rows)).toBe(`${sign}1,1${sign}\n`);
  });

  it("disarm a cell that begins with CR", () => {
    expect(csvLines([["\r1"]], { formulaSafe: true })).toBe('"\'\r1"\n');
  });
});
