import { beforeAll, describe, expect, it } from "vitest";
import type { AllocatedCodes, Allocation } from "../../shared/contract/allocations.ts";
import type { CodeFile, FileFailureCode } from "../../shared/contract/code-files.ts";
import type { ServiceClient } from "../support/service-client.ts";
import { sharedService } from "./bad-input-world.ts";
import { formats, lines, megabytes, secretCodes, utf16, utf32 } from "./file-contents.ts";

type Content = () => string | Uint8Array;

/** On a machine that stands still for minutes a file takes so long; nothing is concluded from it. */
const patienceMs = 400_000;

/** Both ways that a file can take to the pool. */
const doors = {
  drop: (client: ServiceClient, promocodeId: string, content: string | Uint8Array) =>
    client.drop(promocodeId, "codes.csv", content),
  upload: async (client: ServiceClient, promocodeId: string, content: string | Uint8Array) => {
    await client.upload(promocodeId, content);
  },
} as const;

/** The record of a file that came through this door, into a pool of its own. */
const sent = async (
  client: ServiceClient,
  door: keyof typeof doors,
  content: string | Uint8Array,
): Promise<{ readonly promocodeId: string; readonly file: CodeFile }> => {
  const { promocodeId } = await client.promocode();
  await doors[door](client, promocodeId, content);
  const [file] = await client.loadedFiles(promocodeId, 1, patienceMs);
  return { promocodeId, file: file! };
};

/** All codes that the pool gives out, found by asking for more than it can hold: each customer past it gets the default. */
const codesInPool = async (client: ServiceClient, promocodeId: string, atLeast: number) => {
  const allocations = Array.from({ length: atLeast + 3 }, (_, at) => ({ customerId: `taker-${at}` }));
  const { body } = await client.call<AllocatedCodes>(
    "POST",
    `/v1/promocodes/${promocodeId}/allocations/batch`,
    { allocations },
  );
  const fromPool = (body.results as Allocation[]).filter(({ source }) => source === "pool");
  expect(body.summary.failed).toBe(0);
  return fromPool.map(({ uniqueCode }) => uniqueCode).sort();
};

const assertHealthy = async (client: ServiceClient) =>
  expect((await client.call("GET", "/health")).status).toBe(200);

const good = secretCodes(6);

const refusedFiles: readonly { name: string; content: Content; code: FileFailureCode; rejected?: number }[] =
  [
    { name: "nothing at all", content: () => "", code: "empty-file" },
    { name: "blank lines only", content: () => "\n\r\n \t \n\r\r", code: "empty-file" },
    { name: "a byte order mark only", content: () => "\ufeff", code: "empty-file" },
    { name: "empty cells only", content: () => ",,,\n,,,\n", code: "empty-file" },
    { name: "a header only", content: () => "code\n", code: "no-valid-codes", rejected: 0 },
    { name: "no valid code", content: () => "two words\n\u00fcber\n", code: "no-valid-codes", rejected: 2 },
    { name: "Latin-1 only", content: () => Buffer.from("caf\u00e9\n", "latin1"), code: "no-valid-codes" },
    { name: "a JSON list", content: () => JSON.stringify(good), code: "no-valid-codes", rejected: 1 },
    { name: "UTF-16, little end first", content: () => utf16(lines(good)), code: "unsupported-encoding" },
    {
      name: "UTF-16, big end first",
      content: () => utf16(lines(good), { bigEndian: true }),
      code: "unsupported-encoding",
    },
    {
      name: "UTF-16 without a mark, little end first",
      content: () => utf16(lines(good), { mark: false }),
      code: "unsupported-encoding",
    },
    {
      name: "UTF-16 without a mark, big end first",
      content: () => utf16(lines(good), { bigEndian: true, mark: false }),
      code: "unsupported-encoding",
    },
    { name: "UTF-32", content: () => utf32(lines(good)), code: "unsupported-encoding" },
    { name: "gzip", content: () => formats.gzip(lines(good)), code: "compressed-file" },
    { name: "zip", content: () => formats.zip(lines(good)), code: "compressed-file" },
    { name: "an empty zip", content: formats.emptyZip, code: "compressed-file" },
    { name: "xlsx", content: formats.xlsx, code: "compressed-file" },
    { name: "zstd", content: formats.zstd, code: "compressed-file" },
    { name: "xz", content: formats.xz, code: "compressed-file" },
    { name: "bzip2", content: formats.bzip2, code: "compressed-file" },
    { name: "7z", content: formats.sevenZip, code: "compressed-file" },
    { name: "PNG", content: formats.png, code: "binary-file" },
    { name: "PDF", content: formats.pdf, code: "binary-file" },
    { name: "control characters", content: formats.controls, code: "binary-file" },
    {
      name: "a NUL behind 20,000 good rows",
      content: () => `${lines(secretCodes(20_000))}SECRET\u0000X\n`,
      code: "binary-file",
    },
    {
      name: "a quotation mark that is never closed",
      content: () => `${lines(good)}"SECRET-6\nSECRET-7\n`,
      code: "unterminated-quote",
    },
    {
      name: "a quotation mark as the last character",
      content: () => `${lines(good)}"`,
      code: "unterminated-quote",
    },
    {
      name: "a quotation mark that opens in the header",
      content: () => `"code\n${lines(good)}`,
      code: "unterminated-quote",
    },
    {
      name: "a line of 30 MB",
      content: () => `${lines(good)}${"S".repeat(megabytes(30))}\n`,
      code: "row-too-long",
    },
    {
      name: "a first line of 30 MB",
      content: () => `${"S".repeat(megabytes(30))}\n${lines(good)}`,
      code: "row-too-long",
    },
    {
      name: "30 MB of commas",
      content: () => `${lines(good)}${",".repeat(megabytes(30))}`,
      code: "row-too-long",
    },
    {
      name: "30 MB between quotation marks, without a line break",
      content: () => `${lines(good)}"${"S".repeat(megabytes(30))}"\n`,
      code: "unterminated-quote",
    },
    {
      name: "two columns of codes",
      content: () => "code,promo code\nSECRET-1,SECRET-2\n",
      code: "ambiguous-columns",
    },
    {
      name: "the same header twice",
      content: () => "code;code\nSECRET-1;SECRET-2\n",
      code: "ambiguous-columns",
    },
    {
      name: "two columns and no header",
      content: () => "SECRET-1,SECRET-2\nSECRET-3,SECRET-4\n",
      code: "ambiguous-columns",
    },
    {
      name: "a hostile header that names no codes",
      content: () => "__proto__,constructor,\nSECRET-1,SECRET-2,SECRET-3\n",
      code: "ambiguous-columns",
    },
  ];

interface ReadFileCase {
  readonly name: string;
  readonly content: Content;
  readonly codes: readonly string[];
  /** Lines of the rejected rows. */
  readonly rejected?: readonly number[];
  readonly duplicatesInFile?: number;
  readonly header?: string;
}

const longest = "L".repeat(128);

const readFiles: readonly ReadFileCase[] = [
  { name: "LF", content: () => lines(good), codes: good },
  { name: "CRLF", content: () => lines(good, "\r\n"), codes: good },
  { name: "CR", content: () => lines(good, "\r"), codes: good },
  { name: "all line breaks in one file", content: () => "A\nB\r\nC\rD\n\rE\r\r\nF", codes: [..."ABCDEF"] },
  { name: "no line break at the end", content: () => "A\nB", codes: ["A", "B"] },
  { name: "a byte order mark", content: () => `\ufeffcode\n${lines(good)}`, codes: good, header: "code" },
  { name: "a byte order mark and no header", content: () => `\ufeff${lines(good)}`, codes: good },
  {
    name: "semicolons",
    content: () => "id;Coupon code;name\n1;A;x\n2;B;y\n",
    codes: ["A", "B"],
    header: "Coupon code",
  },
  {
    name: "tabs",
    content: () => "id\tvoucher\tname\n1\tA\tx\n2\tB\ty\n",
    codes: ["A", "B"],
    header: "voucher",
  },
  { name: "a header in capitals", content: () => "PROMO CODES\nA\n", codes: ["A"], header: "PROMO CODES" },
  { name: "a header in quotation marks", content: () => '"code"\n"A"\n', codes: ["A"], header: "code" },
  {
    name: "the header's word again, further down",
    content: () => "code\nA\ncode\n",
    codes: ["A", "code"],
    header: "code",
  },
  {
    name: "a hostile header with one column of codes",
    content: () => "__proto__,code,constructor,\nx,A,y,\nx,B,y,\n",
    codes: ["A", "B"],
    header: "code",
  },
  {
    name: "other columns that are named twice",
    content: () => "name,code,name\nx,A,y\n",
    codes: ["A"],
    header: "code",
  },
  {
    name: "quotation marks and separators in cells",
    content: () => 'note,code\n"a ""quoted"", note","A""B"\n"two\nlines","C,D"\n',
    codes: ['A"B', "C,D"],
    header: "code",
  },
  { name: "a line break in a code", content: () => 'A\n"B\nC"\nD\n', codes: ["A", "D"], rejected: [2] },
  {
    name: "quotation marks in the wrong place",
    content: () => 'A\nB"C\n"D"E\nF\n',
    codes: ["A", "F"],
    rejected: [2, 3],
  },
  {
    name: "128 characters and 129",
    content: () => `${longest}\n${longest}L\nA\n`,
    codes: [longest, "A"],
    rejected: [2],
  },
  {
    name: "wide, combined and invisible characters",
    content: () => "\uff21\uff22\ncafe\u0301\n\u200bA\nA\u00a0\n😀\nB\n",
    codes: ["B"],
    rejected: [1, 2, 3, 4, 5],
  },
  {
    name: "line breaks of Unicode",
    content: () => "A\u2028B\nC\u0085D\nE\n",
    codes: ["E"],
    rejected: [1, 2],
  },
  {
    name: "bytes that are no UTF-8",
    content: () => Buffer.from("A\nB\u00ff\u00fe\nC\n", "latin1"),
    codes: ["A", "C"],
    rejected: [2],
  },
  { name: "the end mark of DOS", content: () => "A\nB\n\u001a", codes: ["A", "B"], rejected: [3] },
  { name: "blanks inside", content: () => "A B\nC\tD\nE\n", codes: ["E"], rejected: [1, 2] },
  { name: "blanks around", content: () => "  A\n\tB\t\n C \n", codes: ["A", "B", "C"] },
  { name: "blank lines between", content: () => "\n\nA\n\n  \nB\n\n", codes: ["A", "B"] },
  { name: "empty cells behind", content: () => "A,,\nB,,,\n", codes: ["A", "B"] },
  {
    name: "ragged rows",
    content: () => "id,code\n1,A\n2\n3,C,x\n,D\n4,\n5,E\n",
    codes: ["A", "D", "E"],
    rejected: [3, 4, 6],
    header: "code",
  },
  { name: "a second column in one row", content: () => "A\nB,C\nD\n", codes: ["A", "D"], rejected: [2] },
  {
    name: "codes like formulas",
    content: () => "=1+1\n+A\n-A\n@SUM(1)\n=cmd|'/C'!A0\n",
    codes: ["=1+1", "+A", "-A", "@SUM(1)", "=cmd|'/C'!A0"],
  },
  {
    name: "codes like paths, markup and templates",
    content: () => "../../etc/passwd\n%2e%2e%2f\n<script>\n$" + "{jndi:x}\n{{7*7}}\n'--\n\\0\n",
    codes: ["../../etc/passwd", "%2e%2e%2f", "<script>", "$" + "{jndi:x}", "{{7*7}}", "'--", "\\0"],
  },
  {
    name: "codes like properties of every object",
    content: () => "__proto__\nconstructor\ntoString\nhasOwnProperty\n",
    codes: ["__proto__", "constructor", "toString", "hasOwnProperty"],
  },
  { name: "codes that differ in case", content: () => "Abc\nabc\nABC\n", codes: ["Abc", "abc", "ABC"] },
  {
    name: "one code a million times",
    content: () => "SECRET-ONE\n".repeat(1_000_000),
    codes: ["SECRET-ONE"],
    duplicatesInFile: 999_999,
  },
  {
    name: "a code again in other clothes",
    content: () => 'A\n"A"\n  A  \nA,\n',
    codes: ["A"],
    duplicatesInFile: 3,
  },
  {
    name: "more rejected rows than a record holds",
    content: () => lines([...Array.from({ length: 30 }, (_, at) => `not a code ${at}`), "A"]),
    codes: ["A"],
    rejected: Array.from({ length: 30 }, (_, at) => at + 1),
  },
];

describe.concurrent("code file that is refused", () => {
  let client: ServiceClient;
  beforeAll(() => {
    client = sharedService();
  });

  it.for(refusedFiles)("$name", async ({ content, code, rejected }) => {
    for (const door of ["drop", "upload"] as const) {
      const { promocodeId, file } = await sent(client, door, content());

      expect(file).toMatchObject({
        status: "failed",
        failure: { code },
        codes: 0,
        available: 0,
        allocated: 0,
      });
      if (rejected !== undefined) expect(file).toMatchObject({ rejected, rowsRead: rejected });
      // A sentence for a person, without what the file held.
      expect(file.failure?.message).toMatch(/^[A-Z].{20,}\.$/s);
      expect(JSON.stringify([file.failure, file.problems])).not.toContain("SECRET");
      expect(await codesInPool(client, promocodeId, 2)).toEqual([]);
      await assertHealthy(client);
    }
  });
});

describe.concurrent("code file that is read", () => {
  let client: ServiceClient;
  beforeAll(() => {
    client = sharedService();
  });

  it.for(readFiles)(
    "$name",
    async ({ content, codes, rejected = [], duplicatesInFile = 0, header = null }) => {
      for (const door of ["drop", "upload"] as const) {
        const { promocodeId, file } = await sent(client, door, content());

        expect(file).toMatchObject({
          status: "ready",
          codes: codes.length,
          rejected: rejected.length,
          duplicatesInFile,
          rowsRead: codes.length + rejected.length + duplicatesInFile,
          header,
        });
        expect(file.problems.map(({ line }) => line)).toEqual(rejected.slice(0, 20));
        expect(file.rejectsUrl !== undefined).toBe(rejected.length > 20);
        expect(await codesInPool(client, promocodeId, codes.length)).toEqual([...codes].sort());
        await assertHealthy(client);
      }
    },
  );
});

describe.concurrent("code file beside good ones", () => {
  it("loses nothing of what was in the pool, and leaves nothing of itself there", async () => {
    const client = sharedService();
    const { promocodeId } = await client.promocode();
    await client.drop(promocodeId, "good.csv", lines(good));
    await client.loadedFiles(promocodeId, 1, patienceMs);

    await client.drop(promocodeId, "bad.csv", `${lines(secretCodes(40))}"never closed\n`);
    await client.drop(promocodeId, "other.csv", "OTHER-1\nOTHER-2\n");
    const files = await client.loadedFiles(promocodeId, 3, patienceMs);

    expect(files.map(({ status }) => status).sort()).toEqual(["failed", "ready", "ready"]);
    expect(await codesInPool(client, promocodeId, 20)).toEqual([...good, "OTHER-1", "OTHER-2"].sort());
  });

  it("lists all its rejected rows in a CSV that a spreadsheet opens without harm", async () => {
    const client = sharedService();
    const rows = Array.from({ length: 25 }, (_, at) => `=HYPERLINK("x", "${at}") a`);
    const { file } = await sent(client, "drop", lines(["A", ...rows]));

    const list = await (await fetch(file.rejectsUrl ?? "")).text();

    expect(list.split("\n")[0]).toBe("line,reason,value");
    expect(list.trimEnd().split("\n")).toHaveLength(26);
    expect(list).not.toMatch(/(^|,)"?=/m);
  });
});
