import xxhash from "xxhash-wasm";

const { h32, h32Raw } = await xxhash();

/** Two independent seeds make one 64-bit hash out of two 32-bit ones, without BigInt. Salted per promocode. */
export interface Salt {
  readonly high: number;
  readonly low: number;
}

/** Reads the salt that is stored with a promocode: 16 hex digits. */
export const parseSalt = (hex: string): Salt => ({
  high: Number.parseInt(hex.slice(0, 8), 16),
  low: Number.parseInt(hex.slice(8, 16), 16),
});

/** 64 bits as two unsigned 32-bit numbers, compared high first. */
export interface Hash {
  readonly high: number;
  readonly low: number;
}

export const hashOf = (text: string, salt: Salt): Hash => ({
  high: h32(text, salt.high),
  low: h32(text, salt.low),
});

/** One half of the hash of raw bytes, for the loader's inner loop. Equal to `hashOf` of the same text in UTF-8. */
export const hashHalf: (bytes: Uint8Array, seed: number) => number = h32Raw;

/** Maps a 32-bit hash evenly onto 0 … size-1, keeping its order. */
export const scale = (hash32: number, size: number): number => Math.floor((hash32 / 2 ** 32) * size);
