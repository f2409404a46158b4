import { isUtf8 } from "node:buffer";
import { byteKind, kindOfByte } from "./csv-reader-bytes.ts";

/** Longest code in bytes, which for printable ASCII is characters. */
export const maxCodeBytes = 128;

/** `[start, end)` without the blanks at both ends. */
export const trimmed = (bytes: Uint8Array, start: number, end: number) => {
  let from = start;
  let to = end;
  while (from < to && kindOfByte[bytes[from]!] === byteKind.blank) from += 1;
  while (to > from && kindOfByte[bytes[to - 1]!] === byteKind.blank) to -= 1;
  return { from, to };
};

/** Why `bytes[from, to)`, trimmed and not empty, is no code; undefined when it is one. */
export const flawOfCode = (bytes: Uint8Array, from: number, to: number): string | undefined => {
  let hasBlank = false;
  let hasLineBreak = false;
  for (let at = from; at < to; at++) {
    const kind = kindOfByte[bytes[at]!];
    if (kind === byteKind.other)
      return isUtf8(bytes.subarray(from, to))
        ? "has a character that is not printable ASCII"
        : "is not valid UTF-8";
    if (kind === byteKind.lineBreak) hasLineBreak = true;
    else if (kind === byteKind.blank) hasBlank = true;
  }
  if (hasLineBreak) return "has a line break inside";
  if (hasBlank) return "has a blank inside";
  if (to - from > maxCodeBytes) return `is longer than ${maxCodeBytes} characters`;
  return undefined;
};
