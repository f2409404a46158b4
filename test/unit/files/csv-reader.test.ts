import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readCodes } from "../../../shared/files/csv-reader.ts";

interface Outcome {
  readonly header: string | null;
  readonly rowsRead: number;
  readonly codes: readonly string[];
  readonly problems: readonly { line: number; reason: string }[];
}

/** Reads the bytes, given in chunks of this size. */
const read = async (content: string | Uint8Array, chunkSize = 65_536): Promise<Outcome> => {
  const bytes = Buffer.from(content);
  const codes: string[] = [];
  const problems: { line: number; reason: string }[] = [];
  const chunks = async function* () {
    for (let at = 0; at < bytes.length; at += chunkSize) yield bytes.subarray(at, at + chunkSize);
  };
  const { header, rowsRead } = await readCodes(chunks(), {
    code: (source, start, end) => codes.push(Buffer.from(source.subarray(start, end)).toString("latin1")),
    rejected: (line, reason) => problems.push({ line, reason }),
  });
  return { header, rowsRead, codes, problems };
};

const refusal = async (content: string | Uint8Array): Promise<string> => {
  try {
    await read(content);
    return "accepted";
  } catch (error) {
    return (error as { code: string }).code;
  }
};

describe("a code file of one column", () => {
  it.each([
    "code",
    "CODE",
    "Coupon Code",
    "coupon_code",
    "promo-code",
    "uniqueCode",
    "Voucher",
    "vouchers",
    "# Code:",
  ])("takes a first row %j as the header and reports it as given", async (header) => {
    expect(await read(`${header}\nA1\nB2\n`)).toMatchObject({ header, rowsRead: 2, codes: ["A1", "B2"] });
  });

  it.each([
    ["a bell", "A1\nB\x07\nC3\n"],
    ["an escape in quotes", 'A1\n"B\x1b"\nC3\n'],
  ])("loses only the row that %s spoils", async (_, content) => {
    expect(await read(content)).toMatchObject({
      codes: ["A1", "C3"],
      problems: [{ line: 2, reason: "has a character that is not printable ASCII" }],
    });
  });

  it("loses nothing but the mark that DOS put at the end of files", async () => {
    expect(await read("A1\r\nB2\r\n\x1a")).toMatchObject({
      codes: ["A1", "B2"],
      problems: [{ line: 3, reason: "has a character that is not printable ASCII" }],
    });
  });

  it("has no header when the first row is no known word", async () => {
    expect(await read("A1\nB2\n")).toMatchObject({ header: null, rowsRead: 2, codes: ["A1", "B2"] });
  });

  it.each([
    ["line feeds", "\n"],
    ["carriage returns and line feeds", "\r\n"],
    ["carriage returns", "\r"],
  ])("may end its lines with %s", async (_, lineBreak) => {
    const outcome = await read(["Code", "A1", "", "B 2", '"C3"', "D4"].join(lineBreak));

    expect(outcome).toEqual({
      header: "Code",
      rowsRead: 4,
      codes: ["A1", "C3", "D4"],
      problems: [{ line: 4, reason: "has a blank inside" }],
    });
  });

  it("may mix line breaks, and chunks may tear them apart", async () => {
    for (let chunkSize = 1; chunkSize < 12; chunkSize++)
      expect(await read("code\r\nA1\rB2\r\n\r\nC 3\nD4\r\r\nE5\r\n", chunkSize)).toEqual({
        header: "code",
        rowsRead: 5,
        codes: ["A1", "B2", "D4", "E5"],
        problems: [{ line: 5, reason: "has a blank inside" }],
      });
  });

  it("may start with a byte order mark, quote its header and end without a line break", async () => {
    expect(await read('\ufeff"Coupon code"\n"A1"\nB2')).toMatchObject({
      header: "Coupon code",
      codes: ["A1", "B2"],
    });
  });

  it("tolerates blank lines, surrounding blanks and empty columns behind the code", async () => {
    expect(await read('\n  \n code \n\tA1  \n\n B2,,\n "C3" \n,,\n""\n')).toEqual({
      header: "code",
      rowsRead: 3,
      codes: ["A1", "B2", "C3"],
      problems: [],
    });
  });

  it("keeps quotes, commas and case of a code as given", async () => {
    expect((await read('"say ""hi"""\nx\n"A""B"\n"C,D"\naA\nAA\n"""E"\n""""\n')).codes).toEqual([
      "x",
      'A"B',
      "C,D",
      "aA",
      "AA",
      '"E',
      '"',
    ]);
  });

  it("refuses each bad row with its line number and reason", async () => {
    const long = "x".repeat(129);
    const rows = ["A1", "has blank", "é", "B2", long, "C3,D4", 'E"5', '"F6"G', '"H\nI"', "J7", "\x7f", "K8"];

    const outcome = await read(rows.join("\n"));

    expect(outcome.codes).toEqual(["A1", "B2", "J7", "K8"]);
    expect(outcome.rowsRead).toBe(12);
    expect(outcome.problems).toEqual([
      { line: 2, reason: "has a blank inside" },
      { line: 3, reason: "has a character that is not printable ASCII" },
      { line: 5, reason: "is longer than 128 characters" },
      { line: 6, reason: "has more than one column" },
      { line: 7, reason: "has a quotation mark in the wrong place" },
      { line: 8, reason: "has a quotation mark in the wrong place" },
      { line: 9, reason: "has a line break inside" },
      { line: 12, reason: "has a character that is not printable ASCII" },
    ]);
  });

  it("refuses a row of broken UTF-8 and reads on", async () => {
    const bytes = Buffer.concat([Buffer.from("A1\nB"), Buffer.of(0xe9), Buffer.from("\nC3\n")]);

    expect(await read(bytes)).toMatchObject({
      codes: ["A1", "C3"],
      problems: [{ line: 2, reason: "is not valid UTF-8" }],
    });
  });

  it("takes a code of 128 characters, not one of 129, on both paths", async () => {
    const [longest, tooLong] = ["y".repeat(128), "y".repeat(129)];

    expect((await read(`${longest}\n${tooLong}\n`)).codes).toEqual([longest]);
    expect((await read(`"${longest}"\n"${tooLong}"\n`)).codes).toEqual([longest]);
  });
});

describe("a code file of several columns", () => {
  it.each([
    ["commas", "name,Coupon Code,value\nspring,A1,10\n"],
    ["semicolons", "name;Coupon Code;value\nspring;A1;10\n"],
    ["tabs", "name\tCoupon Code\tvalue\nspring\tA1\t10\n"],
    ["quotes around everything", '"name","Coupon Code","value"\n"spring, ""new""\nline","A1","10"\n'],
  ])("is read by its one code column: %s", async (_, content) => {
    expect(await read(content)).toEqual({ header: "Coupon Code", rowsRead: 1, codes: ["A1"], problems: [] });
  });

  it("refuses rows whose columns do not match the header, and rows without a code", async () => {
    expect(await read('code,value\nA1,10\nB2\nC3,10,x\nD4,\n,10\n,\n"E,5",1,,\n')).toEqual({
      header: "code",
      rowsRead: 6,
      codes: ["A1", "D4", "E,5"],
      problems: [
        { line: 3, reason: "has 1 column where the header has 2" },
        { line: 4, reason: "has 3 columns where the header has 2" },
        { line: 6, reason: "has no code" },
      ],
    });
  });

  it.each([
    ["no column is named", "A1,B2\nC3,D4\n"],
    ["two columns are named", "code,voucher\nA1,B2\n"],
    ["tabs and no name", "A1\tB2\n"],
  ])("fails when %s", async (_, content) => {
    expect(await refusal(content)).toBe("ambiguous-columns");
  });
});

describe("a file that is no code file", () => {
  const utf16 = (text: string) => Buffer.from(text, "utf16le");
  const codes = "code\nABCDEF\nGHIJKL\n";

  it.each([
    ["UTF-16 with a mark", Buffer.concat([Buffer.of(0xff, 0xfe), utf16(codes)]), "unsupported-encoding"],
    [
      "UTF-16 big endian",
      Buffer.concat([Buffer.of(0xfe, 0xff), utf16(codes).swap16()]),
      "unsupported-encoding",
    ],
    ["UTF-16 without a mark", utf16(codes), "unsupported-encoding"],
    ["gzip", Buffer.of(0x1f, 0x8b, 8, 0, 1, 2), "compressed-file"],
    ["zip or xlsx", Buffer.from("PK\x03\x04rest"), "compressed-file"],
    ["zstd", Buffer.of(0x28, 0xb5, 0x2f, 0xfd, 1), "compressed-file"],
    ["PDF", Buffer.from("%PDF-1.7\n"), "binary-file"],
    ["a NUL", Buffer.from("A1\nB\0C\n"), "binary-file"],
    ["a NUL far into the file", Buffer.from(`${"A1\n".repeat(50_000)}B\0\n`), "binary-file"],
    ["a NUL in quotes", Buffer.from('A1\n"B\0"\n'), "binary-file"],
    ["many control characters", Buffer.from("A1\n\x01\x02\x03\x04\nB2\n"), "binary-file"],
    ["nothing", Buffer.alloc(0), "empty-file"],
    ["a byte order mark alone", Buffer.from("\ufeff"), "empty-file"],
    ["blank lines alone", Buffer.from("\n \r\n\n"), "empty-file"],
    ["a header alone", Buffer.from("code\n"), "no-valid-codes"],
    ["no valid row", Buffer.from("a b\nc d\n"), "no-valid-codes"],
    ["a quote that never closes", Buffer.from('A1\n"B2\nC3\nD4\n'), "unterminated-quote"],
    ["a quote that never closes in the first row", Buffer.from('"A1\nC3\n'), "unterminated-quote"],
    [
      "a quote that swallows 64 KB",
      Buffer.from(`A1\n"B2\n${"C3\n".repeat(30_000)}"\n`),
      "unterminated-quote",
    ],
    ["a row of 64 KB", Buffer.from(`A1\n${"x".repeat(70_000)}\n`), "row-too-long"],
    ["a first row without end", Buffer.from("x,".repeat(40_000)), "row-too-long"],
  ])("fails: %s", async (_, content, code) => {
    expect(await refusal(content)).toBe(code);
  });

  it("says on which line the quote opens", async () => {
    await expect(read('code\nA1\n\n"B2\nC3')).rejects.toThrow("opens on line 4");
  });

  it("passes on the failure of its source", async () => {
    const broken = async function* () {
      yield Buffer.from("A1\n");
      throw new Error("connection reset");
    };
    await expect(readCodes(broken(), { code: () => {}, rejected: () => {} })).rejects.toThrow(
      "connection reset",
    );
  });
});

describe("the fast path and csv-parser", () => {
  const cell = fc.string({ unit: fc.constantFrom("A", "b", "7", "-", " ", ",", "é", "\t"), maxLength: 8 });
  const lineBreak = fc.constantFrom("\n", "\r\n", "\r");
  const file = fc.array(fc.record({ cell, lineBreak }), { maxLength: 30 });

  it("read the same out of a file, however it is cut into chunks", async () => {
    await fc.assert(
      fc.asyncProperty(file, fc.integer({ min: 1, max: 50 }), async (rows, chunkSize) => {
        const plain = `code\n${rows.map((row) => row.cell + row.lineBreak).join("")}LAST`;
        // One empty, quoted row keeps every chunk that holds it from the fast path and changes nothing else.
        const whole = await read(`${plain}\n""`);

        expect(await read(plain, chunkSize)).toEqual(whole);
      }),
      { numRuns: 300 },
    );
  });

  it("read the same codes whether they are quoted or not", async () => {
    const code = fc.stringMatching(/^[!#-+\x2d-~]{1,20}$/);
    await fc.assert(
      fc.asyncProperty(
        fc.array(code, { minLength: 1, maxLength: 40 }),
        fc.integer({ min: 1, max: 64 }),
        async (codes, chunkSize) => {
          const plain = await read(`code\n${codes.join("\n")}`);
          const quoted = await read(`code\n${codes.map((each) => `"${each}"`).join("\n")}`, chunkSize);

          expect(plain.codes).toEqual(codes);
          expect(quoted).toEqual(plain);
        },
      ),
      { numRuns: 300 },
    );
  });

  it("give back any cells that were written as RFC 4180 has them", async () => {
    const text = fc.string({ unit: fc.constantFrom("A", '"', ",", ";", "\n", "x"), maxLength: 6 });
    const escaped = (value: string) => `"${value.replaceAll('"', '""')}"`;
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ note: text, code: fc.stringMatching(/^[!-~]{1,9}$/) }), {
          minLength: 1,
          maxLength: 20,
        }),
        fc.integer({ min: 1, max: 40 }),
        async (rows, chunkSize) => {
          const content = rows.map(({ note, code }) => `${escaped(note)},${escaped(code)}`).join("\r\n");

          const outcome = await read(`note,code\r\n${content}`, chunkSize);

          expect(outcome.codes).toEqual(rows.map(({ code }) => code));
        },
      ),
      { numRuns: 300 },
    );
  });
});
