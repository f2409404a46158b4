/** What a byte means while rows are looked for. */
export const byteKind = { printable: 0, lineBreak: 1, blank: 2, comma: 3, nul: 4, other: 5 } as const;

export const LF = 0x0a;
export const CR = 0x0d;
export const quote = 0x22;
export const comma = 0x2c;
export const tab = 0x09;
const space = 0x20;

/**
 * Kind of every byte. A NUL means that the file is no text at all; other control characters, such as the ^Z at the end
 * of old DOS files, spoil their row alone.
 */
export const kindOfByte: Uint8Array = Uint8Array.from({ length: 256 }, (_, byte) => {
  if (byte === LF || byte === CR) return byteKind.lineBreak;
  if (byte === space || byte === tab) return byteKind.blank;
  if (byte === comma) return byteKind.comma;
  if (byte > space && byte < 0x7f) return byteKind.printable;
  if (byte === 0) return byteKind.nul;
  return byteKind.other;
});
