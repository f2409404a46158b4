import { readFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { pictures } from "../../../bench/publish/pictures.ts";
import { pictureFile, publishedResults, readmeFile } from "../../../bench/publish/publish.ts";
import { figuresTable, withFigures } from "../../../bench/publish/readme-table.ts";
import { figureOf, rowsOf } from "../../../bench/publish/recorded.ts";
import { readResults } from "../../../bench/results/results.ts";
import { aFigure, aRecord } from "./fixture/scenarios.ts";

const readme = await readFile(readmeFile, "utf8");
const published = await readResults(publishedResults);

describe("the README's table of figures", () => {
  const figures = [
    aFigure({ name: "write units | half full", value: 1.01, target: { atMost: 1.02 } }),
    aFigure({ name: "rows", value: 5, unit: "rows/s", target: { atLeast: 10 }, kind: "timed" }),
    aFigure({ name: "hottest", value: 30, target: { atMost: 100 }, kind: "model" }),
    aFigure({ name: "without a target" }),
  ];
  const results = { scenarios: [aRecord({ figures })] };

  it("shows every figure with a target, a miss as a miss and a model as a model", () => {
    expect(figuresTable(results).split("\n").slice(2, 5)).toEqual([
      "| allocate: write units \\| half full | ≤ 1.02 | 1.01 write units | met |",
      "| allocate: rows | ≥ 10 | 5 rows/s (this machine) | **missed** |",
      "| allocate: hottest | ≤ 100 | 30 write units (model, not measured) | met |",
    ]);
    expect(figuresTable(results)).not.toContain("without a target");
  });

  it("says on what they were made, apart for scenarios that were made elsewhere", () => {
    const elsewhere = { ...aRecord().circumstances, node: "22.1.0" };
    const both = { scenarios: [...results.scenarios, aRecord({ name: "load", circumstances: elsewhere })] };

    expect(figuresTable(results)).toContain("Node 20.20.2, AWS SDK 3.1164.0, dynoxide 1.2.1");
    expect(figuresTable(both)).toMatch(/Made \(allocate\) .*Node 20\.20\.2.*\nMade \(load\) .*Node 22\.1\.0/);
  });

  it("says of each scenario how large it was, when it was measured and at which commit", () => {
    const record = aRecord({ options: { codes: 100_000, concurrency: 10 } });
    const { startedAt, commit } = record.circumstances;

    expect(figuresTable({ scenarios: [record] })).toContain(
      `\n| allocate | codes 100,000, concurrency 10 | ${startedAt.slice(0, 10)} | ${commit} |\n`,
    );
  });

  it("takes the place between its markers and no more", () => {
    const page = "before\n<!-- bench:begin -->\nold\n<!-- bench:end -->\nafter\n";
    const made = withFigures(page, results);

    expect(made).toBe(`before\n<!-- bench:begin -->\n${figuresTable(results)}\n<!-- bench:end -->\nafter\n`);
    expect(withFigures(made, results)).toBe(made);
    expect(() => withFigures("no markers", results)).toThrow("<!-- bench:begin -->");
  });

  it("is what bench/results.json says", () => {
    expect(published).toBeDefined();
    expect(readme).toBe(withFigures(readme, published ?? { scenarios: [] }));
  });
});

describe("the pictures", () => {
  it.each(pictures)("$file shows what bench/results.json says", async ({ file, draw }) => {
    expect(await readFile(pictureFile(file), "utf8")).toBe(draw(published ?? { scenarios: [] }));
  });
});

describe("a recorded figure", () => {
  const table = { title: "Lives", columns: ["used", "ours"], rows: [["0 %", 1]] };
  const results = { scenarios: [aRecord({ tables: [table] })] };

  it("is found by its name", () => {
    expect(figureOf(results, "allocate", "write units per allocation")).toBe(1);
    expect(rowsOf(results, "allocate", "Lives", ["ours"])).toEqual([{ ours: 1 }]);
  });

  it("that is missing is said, with what there is", () => {
    expect(() => figureOf(results, "load", "x")).toThrow('no scenario "load". There is: allocate.');
    expect(() => figureOf(results, "allocate", "x")).toThrow("There is: write units per allocation.");
    expect(() => rowsOf(results, "allocate", "x", [])).toThrow("There is: Lives.");
    expect(() => rowsOf(results, "allocate", "Lives", ["theirs"])).toThrow("There is: used; ours.");
  });
});
