import { XMLValidator } from "fast-xml-parser";
import { describe, expect, it } from "vitest";
import { drawLife } from "../../../bench/publish/life-picture.ts";
import { drawLoading } from "../../../bench/publish/loading-picture.ts";
import { pictures } from "../../../bench/publish/pictures.ts";
import { aRecord } from "./fixture/scenarios.ts";

const atOnce = (name: string) => `${name}, 100 at once`;
const contenders = ["codewell", "first-available", "random-start", "cursor"];
const life = aRecord({
  name: "life",
  options: { codes: 1_000, concurrency: 100 },
  tables: [
    {
      title: "write units per allocation, by used share",
      columns: ["used up to %", "codewell, 1 at once", ...contenders.map(atOnce)],
      rows: [
        [50, 1, 1, 60, 3.1, 3],
        [99, 1.4, 1.5, 65, 3.5, 3],
        [100, 2.6, 2.9, 30, 6.8, 3],
      ],
    },
    {
      title: "a whole life",
      columns: ["contender", "write units"],
      rows: contenders.map((name, at) => [atOnce(name), [1.15, 62.5, 3.3, 3][at] ?? null]),
    },
  ],
});
const load = aRecord({
  name: "load",
  tables: [
    {
      title: "Loading, end to end",
      columns: ["loader", "rows", "rows/s", "peak MB", "write units/code"],
      rows: [
        ["ours", 10_000_000, 90_000, 442, 0.0717],
        ["item per code <sparse>", 1_000_000, 3_000, 800, 2],
      ],
    },
  ],
});
const results = { scenarios: [life, load] };

/** The heights of the words of a class, as drawn. */
const heights = (svg: string, className: string): readonly number[] =>
  [...svg.matchAll(new RegExp(`<text x="[\\d.]+" y="([\\d.]+)" class="${className} c\\d"`, "g"))].map(
    ([, y]) => Number(y),
  );

describe("a picture", () => {
  it.each(pictures)("$file is well-formed, and says what it shows to who cannot see it", ({ draw }) => {
    const svg = draw(results);

    expect(XMLValidator.validate(svg)).toBe(true);
    expect(svg).toMatch(/<title id="title">[^<]+</);
    expect(svg).toMatch(/<desc id="description">[^<]+\d/);
    expect(svg).toContain('role="img" aria-labelledby="title description"');
    expect(svg).toContain("prefers-color-scheme: dark");
    expect(svg).not.toMatch(/NaN|undefined|Infinity/);
  });

  it("of a pool's life names every contender beside its line, apart from the next", () => {
    const svg = drawLife(results);

    for (const label of ["codewell 1.15", "first-available 62.5", "random-start 3.3", "cursor 3"])
      expect(svg).toContain(`>${label}</text>`);
    const sorted = [...heights(svg, "name")].sort((a, b) => a - b);
    expect(sorted).toHaveLength(4);
    expect(Math.min(...sorted.slice(1).map((y, at) => y - sorted[at]!))).toBeGreaterThanOrEqual(20);
  });

  it("of a pool's life draws a tenth of the units a decade lower", () => {
    const [one, ten, hundred] = [1, 10, 100].map((units) => curveStart(drawLife(withFirst(units))));

    expect(one! - ten!).toBeGreaterThan(50);
    expect(one! - ten!).toBeCloseTo(ten! - hundred!, 0);
  });

  it("of loading draws bars as long as their figures", () => {
    const widths = [...drawLoading(results).matchAll(/<rect [^>]*width="([\d.]+)" height="16"/g)].map(
      ([, width]) => Number(width),
    );

    expect(widths).toHaveLength(6);
    expect(widths[1]! / widths[0]!).toBeCloseTo(3_000 / 90_000, 2);
    expect(widths[4]! / widths[5]!).toBeCloseTo(442 / 800, 2);
  });

  it.each(pictures)("$file is not drawn without its figures", ({ draw }) => {
    const empty = { scenarios: [life, load].map((record) => ({ ...record, tables: [] })) };

    expect(() => draw({ scenarios: [] })).toThrow("bench/results.json holds no scenario");
    expect(() => draw(empty)).toThrow("bench/results.json holds no table");
  });
});

/** The life with other units for codewell's first slice. */
const withFirst = (units: number) => {
  const [curves, means] = life.tables;
  const rows = curves!.rows.map((row, at) => (at === 0 ? row.with(2, units) : row));
  return { scenarios: [{ ...life, tables: [{ ...curves!, rows }, means!] }] };
};

/** How far down codewell's line starts. */
const curveStart = (svg: string): number =>
  Number(/<path d="M[\d.]+ ([\d.]+) [^"]*" class="curve c0"/.exec(svg)?.[1]);
