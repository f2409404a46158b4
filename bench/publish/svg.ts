/**
 * A picture has a ground of its own, so that it reads on any page, and follows the reader's light or dark setting
 * together with it. Series are told apart by the words at their ends, colours only help.
 */
const style = `
text { font: 14px system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; fill: #1f2328; }
.heading { font-size: 17px; font-weight: 600; }
.soft { fill: #59636e; font-size: 13px; }
.ground { fill: #ffffff; stroke: #d1d9e0; }
.grid { stroke: #d1d9e0; stroke-width: 1; }
.curve { fill: none; stroke-width: 2; }
.curve.c0 { stroke-width: 3.5; }
.name { font-weight: 600; }
.c0 { stroke: #0969da; } .c1 { stroke: #cf222e; } .c2 { stroke: #8250df; } .c3 { stroke: #9a6700; }
.bar { stroke: none; }
.bar.c0 { fill: #0969da; } .bar.c1 { fill: #b35900; }
.name { stroke: none; }
.name.c0 { fill: #0969da; } .name.c1 { fill: #cf222e; } .name.c2 { fill: #8250df; } .name.c3 { fill: #9a6700; }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3; }
  .soft { fill: #9198a1; }
  .ground { fill: #0d1117; stroke: #3d444d; }
  .grid { stroke: #3d444d; }
  .c0 { stroke: #58a6ff; } .c1 { stroke: #ff7b72; } .c2 { stroke: #bc8cff; } .c3 { stroke: #d29922; }
  .bar.c0 { fill: #58a6ff; } .bar.c1 { fill: #f0883e; }
  .name.c0 { fill: #58a6ff; } .name.c1 { fill: #ff7b72; } .name.c2 { fill: #bc8cff; } .name.c3 { fill: #d29922; }
}
`.trim();

/** A colour of `style`: the first is ours, the last serves all that are left. */
export const colourClass = (series: number): string => `c${Math.min(series, 3)}`;

const escaped = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");

const attribute = (value: string | number): string =>
  escaped(typeof value === "number" ? String(Math.round(value * 100) / 100) : value);

type Attributes = Readonly<Record<string, string | number>>;

/** An element without content. */
export const shape = (name: string, attributes: Attributes): string =>
  `<${name}${Object.entries(attributes)
    .map(([key, value]) => ` ${key}="${attribute(value)}"`)
    .join("")}/>`;

export const text = (
  x: number,
  y: number,
  content: string,
  { className = "", anchor = "start" }: { className?: string; anchor?: "start" | "middle" | "end" } = {},
): string =>
  `<text x="${attribute(x)}" y="${attribute(y)}"${className && ` class="${className}"`}${
    anchor === "start" ? "" : ` text-anchor="${anchor}"`
  }>${escaped(content)}</text>`;

export interface Sheet {
  readonly width: number;
  readonly height: number;
  /** Shown, and what a screen reader says first. */
  readonly title: string;
  /** Shown below the title. */
  readonly subtitle: string;
  /** What the picture tells, for who cannot see it. */
  readonly description: string;
  readonly content: readonly string[];
}

/** A whole SVG file. */
export const sheet = ({ width, height, title, subtitle, description, content }: Sheet): string =>
  [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-labelledby="title description">`,
    `<title id="title">${escaped(title)}</title>`,
    `<desc id="description">${escaped(description)}</desc>`,
    `<style>\n${style}\n</style>`,
    shape("rect", { x: 0.5, y: 0.5, width: width - 1, height: height - 1, rx: 6, class: "ground" }),
    text(24, 34, title, { className: "heading" }),
    text(24, 55, subtitle, { className: "soft" }),
    ...content,
    "</svg>",
    "",
  ].join("\n");
