interface Palette {
  readonly words: string;
  readonly softWords: string;
  readonly ground: string;
  readonly grid: string;
  /** Of curves and their names; ours first. */
  readonly series: readonly string[];
  /** Of bars: ours, and what it is compared with. */
  readonly bars: readonly [string, string];
}

const light: Palette = {
  words: "#1f2328",
  softWords: "#59636e",
  ground: "#ffffff",
  grid: "#d1d9e0",
  series: ["#0969da", "#cf222e", "#8250df", "#9a6700"],
  bars: ["#0969da", "#b35900"],
};
const dark: Palette = {
  words: "#e6edf3",
  softWords: "#9198a1",
  ground: "#0d1117",
  grid: "#3d444d",
  series: ["#58a6ff", "#ff7b72", "#bc8cff", "#d29922"],
  bars: ["#58a6ff", "#f0883e"],
};

const coloured = ({ words, softWords, ground, grid, series, bars }: Palette): string =>
  [
    `text { fill: ${words}; }`,
    `.soft { fill: ${softWords}; }`,
    `.ground { fill: ${ground}; stroke: ${grid}; }`,
    `.grid { stroke: ${grid}; }`,
    ...series.map((colour, at) => `.curve.c${at} { stroke: ${colour}; } .name.c${at} { fill: ${colour}; }`),
    ...bars.map((colour, at) => `.bar.c${at} { fill: ${colour}; }`),
  ].join("\n");

/**
 * A picture has a ground of its own, so that it reads on any page, and follows the reader's light or dark setting
 * together with it. Series are told apart by the words at their ends, colours only help.
 */
const style = `
text { font: 14px system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; }
.heading { font-size: 17px; font-weight: 600; }
.soft { font-size: 13px; }
.name { font-weight: 600; }
.curve { fill: none; stroke-width: 2; }
.curve.c0 { stroke-width: 3.5; }
${coloured(light)}
@media (prefers-color-scheme: dark) {
${coloured(dark)}
}
`.trim();

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
