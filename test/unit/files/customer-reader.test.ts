import { describe, expect, it } from "vitest";
import { readCustomers } from "../../../shared/files/customer-reader.ts";

/** What the reader makes of a file that arrives in pieces of so many bytes. */
const read = async (content: string | Buffer, pieceBytes = 1 << 20) => {
  const bytes = Buffer.from(content);
  const customers: string[] = [];
  const rejected: (readonly [number, string])[] = [];
  const pieces = async function* () {
    for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes);
  };
  const rows = await readCustomers(pieces(), {
    customer: (source, start, end) => customers.push(Buffer.from(source).toString("utf8", start, end)),
    rejected: (line, reason) => rejected.push([line, reason]),
  });
  return { customers, rejected, rows };
};

describe("a file of customers", () => {
  it.each([
    ["without a header", "ada\nbob\n", ["ada", "bob"]],
    ["with a header", "customerId\nada\n", ["ada"]],
    ["with a header in other words", "Customer_IDs\nada\n", ["ada"]],
    ["with the column among others", "name,customerId,city\nAda,a1,Oslo\nBob,b2,\n", ["a1", "b2"]],
    ["with semicolons", "name;customer id\nAda;a1\n", ["a1"]],
    ["with tabs", "name\tcustomerNumber\nAda\ta1\n", ["a1"]],
    ["with a byte order mark, CRLF and no last line break", "\ufeffcustomerId\r\nada\r\nbob", ["ada", "bob"]],
    ["with blank lines and blanks around", "\n  ada  \n\n\tbob\n   \n", ["ada", "bob"]],
    ["with quotes", 'customerId\n"a,b"\n"say ""hi"""\n', ["a,b", 'say "hi"']],
    ["with blanks within quotes, which are part of an id", '" ada "\nbob\n', [" ada ", "bob"]],
    ["with empty cells behind the column", "customerId,,\nada,,\nbob\n", ["ada", "bob"]],
    ["with blanks and Unicode inside", "ada lovelace\nüñí-✓-😀\n", ["ada lovelace", "üñí-✓-😀"]],
    ["with semicolons in ids of a single column", "a;1\nb;2\n", ["a;1", "b;2"]],
  ])("%s", async (_, content, customers) => {
    for (const pieceBytes of [1, 3, 7, 1 << 20])
      expect(await read(content, pieceBytes)).toEqual({ customers, rejected: [], rows: customers.length });
  });

  it("rejects what the contract's rule rejects, with its line, and keeps what it keeps", async () => {
    const rows = [
      "customerId,name",
      `${"😀".repeat(128)},128 characters`,
      `${"x".repeat(129)},129 characters`,
      `${"ü".repeat(129)},129 characters`,
      '"a\tb",tab',
      '"a\u0085b",C1 control',
      "a\u007fb,delete",
      '"a\nb",line break',
      ",nothing",
      "a,b,c",
      "lonely",
      'a"b,misquoted',
      "ada,right",
    ];

    const { customers, rejected, rows: count } = await read(rows.join("\n"));

    expect(customers).toEqual(["😀".repeat(128), "ada"]);
    expect(rejected).toEqual([
      [3, "is longer than 128 characters"],
      [4, "is longer than 128 characters"],
      [5, "has a control character inside"],
      [6, "has a control character inside"],
      [7, "has a control character inside"],
      [8, "has a control character inside"],
      [10, "has no customer id"],
      [11, "has 3 columns where the header has 2"],
      [12, "has 1 column where the header has 2"],
      [13, "has a quotation mark in the wrong place"],
    ]);
    expect(count).toBe(12);
  });

  it("rejects a row that is no UTF-8, and goes on", async () => {
    const content = Buffer.concat([Buffer.from("ada\n"), Buffer.of(0xff, 0xc3, 0x0a), Buffer.from("bob\n")]);

    expect(await read(content)).toEqual({
      customers: ["ada", "bob"],
      rejected: [[2, "is not valid UTF-8"]],
      rows: 3,
    });
  });

  it.each([
    ["empty-file", ""],
    ["empty-file", "\n\n  \n"],
    ["no-valid-customers", "customerId\n"],
    ["no-valid-customers", `${"x".repeat(200)}\n`],
    ["ambiguous-columns", "a,b\n"],
    ["ambiguous-columns", "customerId,customer\n1,2\n"],
    ["unterminated-quote", '"ada\nbob\n'],
    ["row-too-long", "x".repeat(70_000)],
    ["binary-file", Buffer.from("ada\nb\0b\n")],
    ["unsupported-encoding", Buffer.from("ada\nbob\n", "utf16le")],
    ["compressed-file", Buffer.of(0x1f, 0x8b, 8, 0)],
  ])("is refused as a whole: %s", async (code, content) => {
    await expect(read(content)).rejects.toMatchObject({ code });
  });
});
