import { CodeTable } from "../../../../shared/pool/loading/code-table.ts";
import { SortedCodes } from "../../../../shared/pool/loading/sorted-codes.ts";

export const salt = { high: 0x1234567, low: 0x89abcdef };

/** The codes as the loader holds them, repeats and all. */
export const tableOf = (codes: readonly string[], maxCodes = 1_000_000): CodeTable => {
  const table = new CodeTable(
    codes.reduce((bytes, code) => bytes + code.length + 1, 0),
    maxCodes,
    salt,
  );
  for (const code of codes) table.add(Buffer.from(code, "latin1"), 0, code.length);
  return table;
};

export const sorted = (codes: readonly string[]): SortedCodes => new SortedCodes(tableOf(codes));

export const textsOf = (codes: SortedCodes): readonly string[] =>
  Array.from({ length: codes.count }, (_, position) => codes.code(position));
