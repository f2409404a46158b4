import { Readable } from "node:stream";
import csvParser from "csv-parser";
import { describe, expect, it } from "vitest";
import { type Audience, type AudienceFailureCode, audienceColumns } from "../../shared/contract/audiences.ts";
import type { Promotion } from "../../shared/contract/promotions.ts";
import { someCodes } from "../support/codes.ts";
import type { ServiceClient } from "../support/service-client.ts";
import { sharedService } from "./bad-input-world.ts";
import { formats, lines, megabytes, utf16, utf32 } from "./file-contents.ts";

type Content = () => string | Uint8Array;
const patienceMs = 400_000;
const poolCodes = 150;

/** A text that no sentence says by chance. */
const people = ["PERSON-1", "PERSON-2", "PERSON-3"];

const aPool = async (client: ServiceClient): Promise<string> => {
  const { promocodeId } = await client.promocode();
  await client.upload(promocodeId, lines(someCodes(poolCodes)));
  await client.loadedFiles(promocodeId, 1, patienceMs);
  return promocodeId;
};

const isOver = ({ status }: Audience) => status === "succeeded" || status === "failed";

/** The record of an audience that was dropped or uploaded, once its job is over. */
const sent = async (
  client: ServiceClient,
  door: "drop" | "upload",
  promocodeId: string,
  content: string | Uint8Array,
): Promise<Audience> => {
  const path = `/v1/promocodes/${promocodeId}/audiences`;
  if (door === "drop") await client.put(`audiences/${promocodeId}/people.csv`, content);
  else await client.send((await client.announceAudience(promocodeId)).upload, content);
  const { items } = await client.until<{ items: Audience[] }>(
    path,
    (page) => page.items.length === 1 && page.items.every(isOver),
    patienceMs,
  );
  return items[0]!;
};

const rowsOf = async (text: string): Promise<Record<string, string>[]> =>
  Readable.from([text]).pipe(csvParser()).toArray();

const allocatedRows = async (client: ServiceClient, promocodeId: string): Promise<number> =>
  (await client.exportOf(`/v1/promocodes/${promocodeId}/exports`)).record.rows;

const refusedAudiences: readonly { name: string; content: Content; code: AudienceFailureCode }[] = [
  { name: "nothing at all", content: () => "", code: "empty-file" },
  { name: "blank lines only", content: () => "\n\r\n \t \n", code: "empty-file" },
  { name: "a header only", content: () => "customerId\n", code: "no-valid-customers" },
  { name: "no valid customer", content: () => `a\u0007b\n${"x".repeat(129)}\n`, code: "no-valid-customers" },
  { name: "UTF-16", content: () => utf16(lines(people)), code: "unsupported-encoding" },
  {
    name: "UTF-16 without a mark",
    content: () => utf16(lines(people), { mark: false }),
    code: "unsupported-encoding",
  },
  { name: "UTF-32", content: () => utf32(lines(people)), code: "unsupported-encoding" },
  { name: "gzip", content: () => formats.gzip(lines(people)), code: "compressed-file" },
  { name: "xlsx", content: formats.xlsx, code: "compressed-file" },
  { name: "PNG", content: formats.png, code: "binary-file" },
  { name: "PDF", content: formats.pdf, code: "binary-file" },
  { name: "a NUL behind good rows", content: () => `${lines(people)}PERSON\u00004\n`, code: "binary-file" },
  {
    name: "a quotation mark that is never closed",
    content: () => `${lines(people)}"PERSON-4\nPERSON-5\n`,
    code: "unterminated-quote",
  },
  {
    name: "a line of 30 MB",
    content: () => `${lines(people)}${"P".repeat(megabytes(30))}\n`,
    code: "row-too-long",
  },
  {
    name: "30 MB between quotation marks, without a line break",
    content: () => `${lines(people)}"${"P".repeat(megabytes(30))}"\n`,
    code: "unterminated-quote",
  },
  {
    name: "two columns of customers",
    content: () => "customerId,customer number\nPERSON-1,PERSON-2\n",
    code: "ambiguous-columns",
  },
  {
    name: "two columns and no header",
    content: () => "PERSON-1,PERSON-2\nPERSON-3,PERSON-4\n",
    code: "ambiguous-columns",
  },
  {
    name: "a hostile header that names no customers",
    content: () => "__proto__,constructor,\nPERSON-1,x,y\n",
    code: "ambiguous-columns",
  },
];

interface ReadAudience {
  readonly name: string;
  readonly content: Content;
  readonly customers: readonly string[];
  readonly rejected?: readonly number[];
  readonly repeatedInFile?: number;
}

const readAudiences: readonly ReadAudience[] = [
  { name: "CRLF", content: () => lines(people, "\r\n"), customers: people },
  { name: "CR", content: () => lines(people, "\r"), customers: people },
  {
    name: "all line breaks in one file",
    content: () => "A\nB\r\nC\rD\n\rE\r\r\nF",
    customers: [..."ABCDEF"],
  },
  { name: "a byte order mark", content: () => `\ufeffcustomerId\n${lines(people)}`, customers: people },
  { name: "semicolons", content: () => "name;customerId\nx;A\ny;B\n", customers: ["A", "B"] },
  { name: "tabs", content: () => "customer_number\tname\nA\tx\n", customers: ["A"] },
  {
    name: "a hostile header with one column of customers",
    content: () => "__proto__,customerId,constructor\nx,A,y\n",
    customers: ["A"],
  },
  {
    name: "quotation marks, separators and blanks in cells",
    content: () => '"O""Brien, Pat"\n"  blanks kept "\n  blanks cut \n',
    customers: ['O"Brien, Pat', "  blanks kept ", "blanks cut"],
  },
  { name: "a line break in a cell", content: () => 'A\n"B\nC"\nD\n', customers: ["A", "D"], rejected: [2] },
  {
    name: "quotation marks in the wrong place",
    content: () => 'A\nB"C\nD\n',
    customers: ["A", "D"],
    rejected: [2],
  },
  {
    name: "128 characters and 129, of four bytes each",
    content: () => `${"😀".repeat(128)}\n${"😀".repeat(129)}\nA\n`,
    customers: ["😀".repeat(128), "A"],
    rejected: [2],
  },
  {
    name: "control characters",
    content: () => "A\u0007\nB\u007f\nC\u0085\nD\n",
    customers: ["D"],
    rejected: [1, 2, 3],
  },
  {
    name: "what looks alike and is not the same",
    content: () => "Ada\nada\n\u00e9\ne\u0301\nA\u200b\nA\n",
    customers: ["Ada", "ada", "\u00e9", "e\u0301", "A\u200b", "A"],
  },
  {
    name: "line breaks of Unicode",
    content: () => "A\u2028B\nC\u2029D\n",
    customers: ["A\u2028B", "C\u2029D"],
  },
  {
    name: "bytes that are no UTF-8",
    content: () => Buffer.from("A\nB\u00ff\nC\n", "latin1"),
    customers: ["A", "C"],
    rejected: [2],
  },
  {
    name: "customers like properties of every object",
    content: () => "__proto__\nconstructor\ntoString\nnull\nundefined\n",
    customers: ["__proto__", "constructor", "toString", "null", "undefined"],
  },
  {
    name: "customers like formulas",
    content: () => `=1+1\n+A\n-A\n@SUM(1)\n"=HYPERLINK(""x"",""y"")"\n`,
    customers: ["=1+1", "+A", "-A", "@SUM(1)", '=HYPERLINK("x","y")'],
  },
  {
    name: "ragged rows",
    content: () => "id,customerId\n1,A\n2\n3,C,x\n4,\n5,E\n",
    customers: ["A", "E"],
    rejected: [3, 4, 5],
  },
  {
    name: "one customer 100,000 times",
    content: () => "PERSON-1\n".repeat(100_000),
    customers: ["PERSON-1"],
    repeatedInFile: 99_999,
  },
];

describe.concurrent("audience that is refused", () => {
  it.for(refusedAudiences)("$name", async ({ content, code }) => {
    const client = sharedService();
    for (const door of ["drop", "upload"] as const) {
      const promocodeId = await aPool(client);

      const audience = await sent(client, door, promocodeId, content());

      expect(audience).toMatchObject({ status: "failed", failure: { code } });
      expect(audience.failure?.message).toMatch(/^[A-Z].{20,}\.$/s);
      expect(JSON.stringify([audience.failure, audience.problems])).not.toContain("PERSON");
      expect(audience.downloadUrl).toBeUndefined();
      expect(await allocatedRows(client, promocodeId)).toBe(0);
    }
  });
});

describe.concurrent("audience that is read", () => {
  it.for(readAudiences)("$name", async ({ content, customers, rejected = [], repeatedInFile = 0 }) => {
    const client = sharedService();
    for (const door of ["drop", "upload"] as const) {
      const promocodeId = await aPool(client);

      const audience = await sent(client, door, promocodeId, content());

      expect(audience).toMatchObject({
        status: "succeeded",
        rows: { customers: customers.length, repeatedInFile, rejected: rejected.length },
        summary: { pool: customers.length, repeated: 0, default: 0, refused: 0 },
      });
      expect(audience.problems.map(({ line }) => line)).toEqual(rejected);
      const text = await (await fetch(audience.downloadUrl ?? "")).text();
      const rows = await rowsOf(text);
      expect(text.split("\n")[0]).toBe(audienceColumns.join(","));
      expect(rows.map(({ customerId }) => customerId).sort()).toEqual([...customers].sort());
      expect(new Set(rows.map(({ uniqueCode }) => uniqueCode)).size).toBe(customers.length);
    }
  });
});

describe.concurrent("object key of an audience", () => {
  it.for(["a+b c.csv", "a%2Fb.csv", "../x.csv", "😀/é.CSV", "a\nb.csv"])(
    "%j: its customers get their codes",
    async (name) => {
      const client = sharedService();
      const promocodeId = await aPool(client);

      await client.put(`audiences/${promocodeId}/${name}`, lines(people));
      const [audience] = await client.finishedAudiences(promocodeId, 1);

      expect(audience).toMatchObject({ status: "succeeded", fileName: name, summary: { pool: 3 } });
    },
  );

  it("that does not end with .csv: failed, and nobody got a code", async () => {
    const client = sharedService();
    const promocodeId = await aPool(client);

    await client.put(`audiences/${promocodeId}/people.xlsx`, lines(people));
    const [audience] = await client.finishedAudiences(promocodeId, 1);

    expect(audience).toMatchObject({ status: "failed", failure: { code: "not-a-csv-file" } });
    expect(await allocatedRows(client, promocodeId)).toBe(0);
  });

  it.for([
    ["a folder", (id: string) => `audiences/${id}/`],
    ["no promocode", () => "audiences/people.csv"],
    ["a promocode that there is not", () => "audiences/pcd_unknown/people.csv"],
    [
      "an upload that nobody announced",
      (id: string) => `audience-uploads/${id}/aud_01KA5S3C5E7G9J1M3P5R7T9V1X.csv`,
    ],
  ] as const)("that names %s: no record, and nobody got a code", async ([, keyOf]) => {
    const client = sharedService();
    const promocodeId = await aPool(client);

    await client.put(keyOf(promocodeId), lines(people));
    // Behind it in the same queue; when it is through, the other one has had its turn.
    const other = await aPool(client);
    await client.put(`audiences/${other}/people.csv`, "A\n");
    await client.finishedAudiences(other, 1);

    const { body } = await client.call<{ items: Audience[] }>(
      "GET",
      `/v1/promocodes/${promocodeId}/audiences`,
    );
    expect(body.items).toEqual([]);
    expect(await allocatedRows(client, promocodeId)).toBe(0);
  });

  it("of a promotion that is a draft: failed, with what to do", async () => {
    const client = sharedService();
    const { promocodeId, promotionId } = await client.promocode();
    await client.call<Promotion>("PATCH", `/v1/promotions/${promotionId}/deactivate`);

    await client.put(`audiences/${promocodeId}/people.csv`, lines(people));
    const [audience] = await client.finishedAudiences(promocodeId, 1);

    expect(audience).toMatchObject({ status: "failed", failure: { code: "promotion-not-active" } });
    expect(audience?.failure?.message).toContain("Activate it");
  });
});
