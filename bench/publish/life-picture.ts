import { formatNumber } from "../report/format.ts";
import type { Results } from "../results/results.ts";
import { numberIn, recordOf, rowsOf } from "./recorded.ts";
import { shape, sheet, text } from "./svg.ts";

const contenders = ["codewell", "first-available", "random-start", "cursor"] as const;
const usedUpTo = "used up to %";

const width = 780;
const height = 420;
const plot = { left: 62, right: 590, top: 80, bottom: 360 };
const lineHeight = 20;

/** Steps, because each figure is the mean of a slice of the pool's life. Logarithmic, because the baselines end so far up. */
export const drawLife = (results: Results): string => {
  const { concurrency } = recordOf(results, "life").options;
  const columns = contenders.map((name) => `${name}, ${concurrency} at once`);
  const slices = rowsOf(results, "life", "write units per allocation, by used share", [usedUpTo, ...columns]);
  const means = new Map(
    rowsOf(results, "life", "a whole life", ["contender", "write units"]).map((row) => [
      String(row.contender),
      numberIn(row["write units"], "write units of a whole life"),
    ]),
  );
  const ends = slices.map((slice) => numberIn(slice[usedUpTo], usedUpTo));
  const series = columns.map((column, at) => ({
    name: contenders[at]!,
    colour: `c${at}`,
    values: slices.map((slice) => numberIn(slice[column], column)),
    mean: numberIn(means.get(column), `${column} over a whole life`),
  }));

  const highest = Math.max(...series.flatMap(({ values }) => values));
  const decades = Math.max(1, Math.ceil(Math.log10(highest)));
  const x = (used: number) => plot.left + ((plot.right - plot.left) * used) / 100;
  const y = (units: number) => plot.bottom - ((plot.bottom - plot.top) * Math.log10(units)) / decades;

  const grid = Array.from({ length: decades + 1 }, (_, decade) => 10 ** decade).flatMap((units) => [
    shape("line", { x1: plot.left, x2: plot.right, y1: y(units), y2: y(units), class: "grid" }),
    text(plot.left - 10, y(units) + 5, formatNumber(units), { className: "soft", anchor: "end" }),
  ]);
  const shares = [0, 25, 50, 75, 100].map((used) =>
    text(x(used), plot.bottom + 22, `${used} %`, { className: "soft", anchor: "middle" }),
  );
  const curves = series.map(({ values, colour }) => {
    const steps = values.map(
      (units, at) => `${at === 0 ? "M" : "L"}${pair(x(ends[at - 1] ?? 0), y(units))} H${round(x(ends[at]!))}`,
    );
    return shape("path", { d: steps.join(" "), class: `curve ${colour}` });
  });
  const names = apart(series.map(({ values }) => y(values.at(-1) ?? 1))).map((at, index) => {
    const { name, colour, mean } = series[index]!;
    return text(plot.right + 12, at + 5, `${name} ${formatNumber(mean)}`, {
      className: `name ${colour}`,
    });
  });

  const description = series
    .map(
      ({ name, values, mean }) =>
        `${name}: ${formatNumber(values[0]!)} at first, ${formatNumber(values.at(-1)!)} at the end, ${formatNumber(mean)} on average.`,
    )
    .join(" ");
  return sheet({
    width,
    height,
    title: "Write units per allocation, over a pool's whole life",
    subtitle: `${concurrency} callers at once; logarithmic, lower is cheaper. Beside each name: its mean over the whole life`,
    description: `Write units of one allocation by the share of the pool that is used. ${description}`,
    content: [
      ...grid,
      ...shares,
      text((plot.left + plot.right) / 2, plot.bottom + 44, "of the pool's codes are given out", {
        className: "soft",
        anchor: "middle",
      }),
      ...[...curves].reverse(),
      ...names,
    ],
  });
};

const round = (value: number): number => Math.round(value * 10) / 10;
const pair = (x: number, y: number): string => `${round(x)} ${round(y)}`;

/** The heights, moved apart so that words at them do not touch, in the same order. */
const apart = (heights: readonly number[]): readonly number[] => {
  const moved = [...heights];
  const fromTop = [...heights.keys()].sort((a, b) => heights[a]! - heights[b]!);
  let lowest = Number.POSITIVE_INFINITY;
  // From below, so that what is cheapest stays at its line.
  for (const index of fromTop.reverse()) {
    moved[index] = Math.min(heights[index]!, lowest - lineHeight);
    lowest = moved[index]!;
  }
  return moved;
};
