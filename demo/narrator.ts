import colors from "picocolors";

/** Longest body that is shown whole, in lines. */
const mostLines = 16;

/** A presigned URL is 700 characters that nobody reads. */
const longestText = 120;

const cut = (_key: string, value: unknown): unknown =>
  typeof value === "string" && value.length > longestText ? `${value.slice(0, longestText)}…` : value;

const shorten = (text: string): string => {
  const lines = text.split("\n");
  return lines.length <= mostLines
    ? text
    : [...lines.slice(0, mostLines - 1), colors.dim(`… ${lines.length - mostLines + 1} more lines`)].join(
        "\n",
      );
};

const indent = (text: string): string => text.replace(/^/gm, "    ");

/** Keys stand out, the rest is plain: JSON as one reads it. */
const coloured = (body: unknown): string =>
  shorten(JSON.stringify(body, cut, 2)).replace(
    /^(\s*)("[^"]+")(:)/gm,
    (_, space, key, colon) => `${space}${colors.cyan(key)}${colon}`,
  );

/** Tells the story of the demo on the console. */
export const narrator = {
  title: (text: string): void => console.log(`\n${colors.bold(colors.inverse(` ${text} `))}`),

  chapter: (number: number, text: string): void =>
    console.log(`\n${colors.bold(colors.magenta(`${number}.`))} ${colors.bold(text)}`),

  remark: (text: string): void => console.log(indent(colors.dim(text))),

  request: (method: string, path: string, body?: unknown): void => {
    console.log(`\n  ${colors.yellow("→")} ${colors.bold(method)} ${path}`);
    if (body !== undefined) console.log(indent(coloured(body)));
  },

  answer: (status: number, body: unknown): void => {
    const colour = status < 300 ? colors.green : colors.red;
    console.log(`  ${colors.yellow("←")} ${colour(String(status))}`);
    console.log(indent(coloured(body)));
  },

  lines: (lines: readonly string[]): void => {
    for (const line of lines) console.log(indent(line));
  },

  proof: (text: string): void => console.log(`\n  ${colors.green("✓")} ${text}`),
};
