import { binaryFile, compressedFile, unsupportedEncoding } from "../domain/file-refused.ts";

/** How many bytes of a file are looked at before anything is read from it. */
const sniffedBytes = 4096;

const compressed = [
  { format: "gzip", magic: [0x1f, 0x8b] },
  { format: "zip or xlsx", magic: [0x50, 0x4b, 0x03, 0x04] },
  { format: "zip or xlsx", magic: [0x50, 0x4b, 0x05, 0x06] },
  { format: "zstd", magic: [0x28, 0xb5, 0x2f, 0xfd] },
  { format: "xz", magic: [0xfd, 0x37, 0x7a, 0x58, 0x5a] },
  { format: "bzip2", magic: [0x42, 0x5a, 0x68, 0x39, 0x31, 0x41, 0x59] },
  { format: "7z", magic: [0x37, 0x7a, 0xbc, 0xaf] },
] as const;

const startsWith = (bytes: Uint8Array, magic: readonly number[]): boolean =>
  bytes.length >= magic.length && magic.every((byte, index) => bytes[index] === byte);

/** Text in UTF-16 or UTF-32 without a mark has a NUL in most pairs of bytes, and always on the same side. */
const looksLikeWideText = (bytes: Uint8Array): boolean => {
  let even = 0;
  let odd = 0;
  for (let index = 0; index < bytes.length; index++) {
    if (bytes[index] !== 0) continue;
    if (index % 2 === 0) even += 1;
    else odd += 1;
  }
  const pairs = Math.floor(bytes.length / 2);
  return pairs > 0 && Math.max(even, odd) > pairs * 0.6;
};

/** Text has hardly any control characters beside tabs, line breaks and form feeds; binary files are full of them. */
const looksBinary = (bytes: Uint8Array): boolean => {
  let controls = 0;
  for (const byte of bytes) if (byte < 0x20 && (byte < 0x09 || byte > 0x0d)) controls += 1;
  return controls > 2 && controls > bytes.length * 0.02;
};

/**
 * Refuses what is no UTF-8 text by its first bytes; answers how many bytes the byte order mark takes.
 * A NUL further on is found by whoever reads the rows.
 */
const guardFirstBytes = (bytes: Uint8Array): number => {
  if (startsWith(bytes, [0xef, 0xbb, 0xbf])) return 3;
  if (startsWith(bytes, [0xff, 0xfe, 0, 0])) throw unsupportedEncoding("UTF-32");
  if (startsWith(bytes, [0xff, 0xfe]) || startsWith(bytes, [0xfe, 0xff])) throw unsupportedEncoding("UTF-16");
  const packed = compressed.find(({ magic }) => startsWith(bytes, magic));
  if (packed) throw compressedFile(packed.format);
  if (startsWith(bytes, [0x25, 0x50, 0x44, 0x46])) throw binaryFile(1);
  if (looksLikeWideText(bytes)) throw unsupportedEncoding("UTF-16 or UTF-32");
  if (looksBinary(bytes)) throw binaryFile(1);
  return 0;
};

/**
 * The source's bytes from where the text begins. The first piece holds all that is looked at, or the whole of a shorter
 * file. Throws `FileRefused` for what is not text.
 */
export async function* guardedText(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let first: Buffer | undefined = Buffer.alloc(0);
  for await (const chunk of source) {
    if (first === undefined) {
      yield chunk;
      continue;
    }
    first = Buffer.concat([first, chunk]);
    if (first.length < sniffedBytes) continue;
    yield first.subarray(guardFirstBytes(first));
    first = undefined;
  }
  if (first !== undefined) yield first.subarray(guardFirstBytes(first));
}
