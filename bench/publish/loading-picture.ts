import { formatNumber } from "../report/format.ts";
import type { Results } from "../results/results.ts";
import { numberIn, rowsOf } from "./recorded.ts";
import { shape, sheet, text } from "./svg.ts";

const panels = [
  { column: "rows/s", title: "rows per second; more is faster" },
  { column: "write units/code", title: "write units per code; less is cheaper" },
  { column: "peak MB", title: "peak memory, MB; less is smaller" },
] as const;

const width = 780;
const barsFrom = 325;
const longestBar = 350;
const barHeight = 16;
const lineHeight = 22;
const panelGap = 46;
const firstPanelAt = 92;

/** Three panels of bars, each to its own scale: the loaders' speed, cost and memory. */
export const drawLoading = (results: Results): string => {
  const rows = rowsOf(results, "load", "Loading, end to end", [
    "loader",
    "rows",
    ...panels.map(({ column }) => column),
  ]);
  const loaders = rows.map((row) => ({
    name: `${row.loader}, ${formatNumber(numberIn(row.rows, "rows"))} rows`,
    colour: row.loader === "ours" ? "c0" : "c1",
    values: panels.map(({ column }) => numberIn(row[column], column)),
  }));
  const panelHeight = loaders.length * lineHeight + panelGap;

  const content = panels.flatMap(({ title }, panel) => {
    const top = firstPanelAt + panel * panelHeight;
    const highest = Math.max(...loaders.map(({ values }) => values[panel]!));
    return [
      text(24, top, title, { className: "name" }),
      ...loaders.flatMap(({ name, colour, values }, index) => {
        const y = top + 12 + index * lineHeight;
        const value = values[panel]!;
        const length = Math.max(1, (longestBar * value) / highest);
        return [
          text(barsFrom - 10, y + 13, name, { className: "soft", anchor: "end" }),
          shape("rect", { x: barsFrom, y, width: length, height: barHeight, class: `bar ${colour}` }),
          text(barsFrom + length + 8, y + 13, formatNumber(value)),
        ];
      }),
    ];
  });

  const told = loaders.map(
    ({ name, values }) =>
      `${name}: ${panels.map(({ column }, panel) => `${formatNumber(values[panel]!)} ${column}`).join(", ")}.`,
  );
  return sheet({
    width,
    height: firstPanelAt + panels.length * panelHeight - panelGap + 34,
    title: "Loading a code file, beside an item per code",
    subtitle:
      "From the object in S3 to codes that can be given out; both loaders on the same machine and engine",
    description: `Speed, cost and memory of loading. ${told.join(" ")}`,
    content,
  });
};
