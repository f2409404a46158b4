import type { Results, ScenarioRecord } from "../results/results.ts";
import type { Table } from "../scenario.ts";

/** The scenario's record. Throws when the results have none. */
export const recordOf = ({ scenarios }: Results, scenario: string): ScenarioRecord => {
  const record = scenarios.find(({ name }) => name === scenario);
  if (record === undefined)
    throw missing(
      `no scenario "${scenario}"`,
      scenarios.map(({ name }) => name),
    );
  return record;
};

/** The value of a scenario's figure. Throws when there is none of that name, or it came to nothing. */
export const figureOf = (results: Results, scenario: string, name: string): number => {
  const { figures } = recordOf(results, scenario);
  const figure = figures.find((candidate) => candidate.name === name);
  if (figure === undefined || Number.isNaN(figure.value))
    throw missing(
      `no figure "${name}" of ${scenario}`,
      figures.map((candidate) => candidate.name),
    );
  return figure.value;
};

/** A cell that must hold a number. */
export const numberIn = (cell: string | number | null | undefined, what: string): number => {
  if (typeof cell !== "number") throw new Error(`bench/results.json holds no number as ${what}.`);
  return cell;
};

/** The rows of a scenario's table, by column. Throws when the table or a column is missing. */
export const rowsOf = <Column extends string>(
  results: Results,
  scenario: string,
  title: string,
  columns: readonly Column[],
): readonly Readonly<Record<Column, string | number | null>>[] => {
  const { tables } = recordOf(results, scenario);
  const table = tables.find((candidate) => candidate.title === title);
  if (table === undefined)
    throw missing(
      `no table "${title}" of ${scenario}`,
      tables.map((candidate) => candidate.title),
    );
  const places = columns.map((column) => placeOf(table, column));
  return table.rows.map(
    (row) =>
      Object.fromEntries(columns.map((column, at) => [column, row[places[at] ?? -1] ?? null])) as Record<
        Column,
        string | number | null
      >,
  );
};

const placeOf = ({ title, columns }: Table, column: string): number => {
  const place = columns.indexOf(column);
  if (place < 0) throw missing(`no column "${column}" in "${title}"`, columns);
  return place;
};

const missing = (what: string, there: readonly string[]): Error =>
  new Error(`bench/results.json holds ${what}. There is: ${there.join("; ") || "nothing"}.`);
