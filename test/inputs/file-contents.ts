import { gzipSync } from "node:zlib";

/** What the code files of these tests hold: a text that no sentence says by chance. */
export const secretCodes = (count: number): readonly string[] =>
  Array.from({ length: count }, (_, at) => `SECRET-${at}`);

export const lines = (rows: readonly string[], lineBreak = "\n"): string =>
  rows.map((row) => `${row}${lineBreak}`).join("");

export const utf16 = (text: string, { bigEndian = false, mark = true } = {}): Buffer => {
  const bytes = Buffer.from(mark ? `\ufeff${text}` : text, "utf16le");
  return bigEndian ? bytes.swap16() : bytes;
};

export const utf32 = (text: string): Buffer =>
  Buffer.concat(
    ["\ufeff", ...text].map((character) => {
      const bytes = Buffer.alloc(4);
      bytes.writeUInt32LE(character.codePointAt(0)!);
      return bytes;
    }),
  );

/** The beginnings that tell what a file is, and some of what follows. */
export const formats = {
  gzip: (text: string) => gzipSync(text),
  zip: (text: string) => Buffer.from(`PK\u0003\u0004\u0014\u0000\u0000\u0000\u0000\u0000${text}`, "latin1"),
  emptyZip: () => Buffer.from(`PK\u0005\u0006${"\u0000".repeat(18)}`, "latin1"),
  xlsx: () =>
    Buffer.from(
      "PK\u0003\u0004\u0014\u0000\u0006\u0000\u0008\u0000[Content_Types].xml\u00adT\u00cbn",
      "latin1",
    ),
  zstd: () => Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x04, 0x58, 0x11, 0, 0, 0x41]),
  xz: () => Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00, 0x00, 0x04]),
  bzip2: () => Buffer.from("BZh91AY&SY\u0012\u0034\u0000", "latin1"),
  sevenZip: () => Buffer.from([0x37, 0x7a, 0xbc, 0xaf, 0x27, 0x1c, 0x00, 0x04]),
  png: () =>
    Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 0x0d, 0x49, 0x48, 0x44, 0x52]),
  pdf: () => Buffer.from("%PDF-1.7\n%\u00e2\u00e3\u00cf\u00d3\n1 0 obj\n", "latin1"),
  controls: () => Buffer.from(Array.from({ length: 400 }, (_, at) => (at % 3 === 0 ? 0x02 : 0x41))),
};

export const megabytes = (count: number): number => count * 1024 * 1024;
