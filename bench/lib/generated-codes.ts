const alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const prefix = "SAVE";
const digits = 8;
const span = 2 ** (5 * digits);

/** Odd, so that every number below 2^40 is hit once; below 2^29, so that products stay exact for 16 million codes. */
const factor = 0x1d2c3b4b;

/** Of `factor`, modulo 2^32: its low 24 bits undo the scattering of numbers below 2^24. */
const inverse = (() => {
  let guess = factor;
  for (let round = 0; round < 5; round++) guess = Math.imul(guess, 2 - Math.imul(factor, guess));
  return guess;
})();
export const mostCodes = 2 ** 24;

/** The bench's codes: `SAVE` and eight characters that look drawn by lot, different for every index below 2^24. */
export const codeAt = (index: number): string => {
  let rest = (index * factor) % span;
  let text = "";
  for (let digit = 0; digit < digits; digit++) {
    text = alphabet[rest % 32] + text;
    rest = Math.floor(rest / 32);
  }
  return prefix + text;
};

/** The index of one of these codes; undefined for any other text. */
export const indexOf = (code: string): number | undefined => {
  let low = 0;
  for (const digit of code.slice(prefix.length)) low = (Math.imul(low, 32) + alphabet.indexOf(digit)) | 0;
  const index = Math.imul(low, inverse) & (mostCodes - 1);
  return codeAt(index) === code ? index : undefined;
};

/** Every hundredth row of the bench's files repeats a code from half way back. */
const rowsPerRepeat = 100;

/** How many different codes a file of so many rows has. */
export const distinctCodes = (rows: number): number => rows - Math.floor(rows / rowsPerRepeat);

const rowsPerChunk = 5_000;

/** A CSV file of so many rows below a header, in pieces; the first `distinctCodes(rows)` codes are in it. */
export function* codeFile(rows: number): Generator<Buffer> {
  yield Buffer.from("Coupon code\r\n");
  let fresh = 0;
  for (let row = 0; row < rows; ) {
    const lines: string[] = [];
    for (const end = Math.min(rows, row + rowsPerChunk); row < end; row++) {
      const repeats = row % rowsPerRepeat === rowsPerRepeat - 1;
      lines.push(codeAt(repeats ? fresh >>> 1 : fresh++));
    }
    yield Buffer.from(`${lines.join("\r\n")}\r\n`);
  }
}

/** Ticks off codes that were found somewhere, to tell whether they are each of the first `count` exactly once. */
export class CodeTally {
  readonly #seen: Uint8Array;
  #found = 0;
  /** Codes that were found before, or that are none of these. */
  #wrong = 0;

  constructor(count: number) {
    this.#seen = new Uint8Array(count);
  }

  add(code: string): void {
    const index = indexOf(code);
    if (index === undefined || index >= this.#seen.length || this.#seen[index] === 1) this.#wrong += 1;
    else {
      this.#seen[index] = 1;
      this.#found += 1;
    }
  }

  /** Codes that are missing, were found twice, or do not belong. */
  get errors(): number {
    return this.#seen.length - this.#found + this.#wrong;
  }
}
