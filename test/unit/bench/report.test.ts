import { stripVTControlCharacters } from "node:util";
import { describe, expect, it } from "vitest";
import { formatNumber, formatSeconds, formatTarget, formatValue } from "../../../bench/report/format.ts";
import { scenarioReport, targetSummary } from "../../../bench/report/terminal-report.ts";
import { textTable } from "../../../bench/report/text-table.ts";
import { isFailure, verdictOf } from "../../../bench/report/verdict.ts";
import { progressLine } from "../../../bench/run/progress-line.ts";
import { aFigure, aRecord } from "./fixture/scenarios.ts";

describe("a verdict", () => {
  it.each([
    [1.02, { atMost: 1.02 }, "met"],
    [1.021, { atMost: 1.02 }, "missed"],
    [10, { atLeast: 10 }, "met"],
    [9.9, { atLeast: 10 }, "missed"],
    [Number.NaN, { atMost: 1 }, "missed"],
    [Number.NaN, { atLeast: 1 }, "missed"],
  ])("of %f against %o is %s", (value, target, verdict) => {
    expect(verdictOf({ value, target })).toBe(verdict);
  });

  it("is not given without a target", () => {
    expect(verdictOf({ value: 1 })).toBe("not judged");
  });

  it("fails a check only when no machine can blur the figure", () => {
    const missed = { value: 2, target: { atMost: 1 } };

    expect(isFailure(aFigure({ ...missed, kind: "exact" }))).toBe(true);
    expect(isFailure(aFigure({ ...missed, kind: "timed" }))).toBe(false);
    expect(isFailure(aFigure({ ...missed, kind: "model" }))).toBe(false);
    expect(isFailure(aFigure({ value: 1, target: { atMost: 1 } }))).toBe(false);
  });
});

describe("a number in the report", () => {
  it.each([
    [1_234_567, "1,234,567"],
    [12_345.67, "12,346"],
    [1.0249, "1.025"],
    [61.909, "61.91"],
    [0.0719, "0.0719"],
    [0, "0"],
    [Number.NaN, "no figure"],
  ])("%f reads %s", (value, text) => {
    expect(formatNumber(value)).toBe(text);
  });

  it("carries its unit and its target", () => {
    expect(formatValue({ value: 600, unit: "MB" })).toBe("600 MB");
    expect(formatValue({ value: 2, unit: "" })).toBe("2");
    expect(formatTarget({ atMost: 1 / 20 })).toBe("≤ 0.05");
    expect(formatTarget({ atLeast: 100_000 })).toBe("≥ 100,000");
    expect(formatSeconds(185)).toBe("3 min 5 s");
  });
});

describe("a table on the terminal", () => {
  it("sets words to the left and numbers to the right, colours not counted", () => {
    const lines = textTable(
      ["who", "units"],
      [
        ["ours", "\u001b[32m1.02\u001b[39m"],
        ["first-available", "1,234"],
        ["cursor", "–"],
      ],
    );

    expect(lines.map(stripVTControlCharacters)).toEqual([
      "who              units",
      "ours              1.02",
      "first-available  1,234",
      "cursor               –",
    ]);
  });
});

describe("the report", () => {
  const record = aRecord({
    figures: [
      aFigure({ name: "units", target: { atMost: 1.02 } }),
      aFigure({ name: "rows per second", value: 5, unit: "rows/s", target: { atLeast: 10 }, kind: "timed" }),
      aFigure({ name: "hottest item", value: 30, kind: "model", note: "at 10,000 a second" }),
    ],
    tables: [{ title: "By fullness", columns: ["used", "units"], rows: [["0 %", null]] }],
  });

  it("tells a scenario's tables and figures, and says what a model computed", () => {
    const text = stripVTControlCharacters(scenarioReport(record));

    expect(text).toContain("By fullness");
    expect(text).toMatch(/units +1 write units +≤ 1\.02 +✓ met/);
    expect(text).toMatch(/rows per second +5 rows\/s +≥ 10 +✗ missed +this machine/);
    expect(text).toMatch(/hottest item +30 write units +model, not measured/);
    expect(text).toContain("hottest item: at 10,000 a second");
  });

  it("ends with every target", () => {
    const text = stripVTControlCharacters(targetSummary([record]));

    expect(text).toContain("1 of 2 are met.");
    expect(text).not.toContain("hottest item");
  });

  it("states what an allocation over HTTP takes, of which nothing is asked", () => {
    const name = "HTTP allocation to bare write, one at a time";
    const overhead = aRecord({ name: "overhead", figures: [aFigure({ name, value: 4.3, kind: "timed" })] });

    expect(stripVTControlCharacters(targetSummary([overhead]))).toContain(name);
  });
});

describe("the progress line", () => {
  const drawnOn = (isTTY: boolean) => {
    const written: string[] = [];
    const line = progressLine({ isTTY, columns: 60, write: (text) => written.push(text) });
    line.show("allocate: a long story about codes that goes on beyond any terminal", 0.5);
    line.leave("allocate, done");
    return written;
  };

  it("is drawn on a terminal, never wider than it", () => {
    const [shown = "", left] = drawnOn(true).map(stripVTControlCharacters);

    expect(shown).toContain("50 %  allocate");
    expect(shown.trim().length).toBeLessThan(60);
    expect(left).toContain("allocate, done\n");
  });

  it("is silent in a pipe, but for the line that it leaves", () => {
    expect(drawnOn(false)).toEqual(["allocate, done\n"]);
  });
});
