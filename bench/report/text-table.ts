import { stripVTControlCharacters } from "node:util";

const width = (text: string): number => [...stripVTControlCharacters(text)].length;

/** Cells that say nothing about whether their column holds numbers. */
const withoutNumber: ReadonlySet<string> = new Set(["", "–", "no figure"]);

/** Columns whose every filled cell begins like a number are set to the right. */
const isNumeric = (cells: readonly string[]): boolean => {
  const filled = cells.map(stripVTControlCharacters).filter((cell) => !withoutNumber.has(cell));
  return filled.length > 0 && filled.every((cell) => /^[-≤≥ ]*[\d∞]/.test(cell));
};

/** Lines of aligned columns, two spaces between them. Cells may be coloured. */
export const textTable = (
  columns: readonly string[],
  rows: readonly (readonly string[])[],
  paintHeader: (text: string) => string = (text) => text,
): readonly string[] => {
  const at = (cells: readonly string[], column: number): string => cells[column] ?? "";
  const layout = columns.map((title, column) => {
    const cells = rows.map((row) => at(row, column));
    return { width: Math.max(width(title), ...cells.map(width)), right: isNumeric(cells) };
  });
  const line = (cells: readonly string[]): string =>
    layout
      .map((column, index) => {
        const cell = at(cells, index);
        const gap = " ".repeat(column.width - width(cell));
        return column.right ? gap + cell : cell + gap;
      })
      .join("  ")
      .trimEnd();
  return [paintHeader(line(columns)), ...rows.map(line)];
};
