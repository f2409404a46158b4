const prime1 = 0x9e3779b1;
const prime2 = 0x85ebca77;
const prime3 = 0xc2b2ae3d;
const prime4 = 0x27d4eb2f;
const prime5 = 0x165667b1;

const rotate = (value: number, bits: number): number => (value << bits) | (value >>> (32 - bits));

const round = (sum: number, word: number): number =>
  Math.imul(rotate((sum + Math.imul(word, prime2)) | 0, 13), prime1);

const wordAt = (bytes: Uint8Array, at: number): number =>
  bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);

/**
 * XXH32 of `bytes[start, end)`, unsigned: equal to `hashHalf` of the same bytes. Two of them per code are the loader's
 * inner loop, and here a call into WebAssembly costs five times the arithmetic.
 * Source: github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md
 */
export const hashRange = (bytes: Uint8Array, start: number, end: number, seed: number): number => {
  const length = end - start;
  let at = start;
  let hash: number;
  if (length >= 16) {
    let one = (seed + prime1 + prime2) | 0;
    let two = (seed + prime2) | 0;
    let three = seed | 0;
    let four = (seed - prime1) | 0;
    for (const last = end - 16; at <= last; at += 16) {
      one = round(one, wordAt(bytes, at));
      two = round(two, wordAt(bytes, at + 4));
      three = round(three, wordAt(bytes, at + 8));
      four = round(four, wordAt(bytes, at + 12));
    }
    hash = (rotate(one, 1) + rotate(two, 7) + rotate(three, 12) + rotate(four, 18)) | 0;
  } else {
    hash = (seed + prime5) | 0;
  }
  hash = (hash + length) | 0;
  for (; at + 4 <= end; at += 4)
    hash = Math.imul(rotate((hash + Math.imul(wordAt(bytes, at), prime3)) | 0, 17), prime4);
  for (; at < end; at++) hash = Math.imul(rotate((hash + Math.imul(bytes[at]!, prime5)) | 0, 11), prime1);
  hash = Math.imul(hash ^ (hash >>> 15), prime2);
  hash = Math.imul(hash ^ (hash >>> 13), prime3);
  return (hash ^ (hash >>> 16)) >>> 0;
};
