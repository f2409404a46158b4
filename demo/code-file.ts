import { randomInt } from "node:crypto";

/** Without letters and digits that people mix up. */
const alphabet = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789";

const aCode = (): string => Array.from({ length: 10 }, () => alphabet[randomInt(alphabet.length)]).join("");

/** Codes that differ, as a marketer would have them from their shop system. */
export const newCodes = (count: number): readonly string[] => {
  const codes = new Set<string>();
  while (codes.size < count) codes.add(aCode());
  return [...codes];
};

/** A CSV file of them. With flaws: one code twice and one row that is no code, as real files have. */
export const csvOf = (codes: readonly string[], { flawed = false } = {}): string =>
  ["Coupon code", ...codes, ...(flawed ? [codes[0], "this is not a code"] : [])].join("\n").concat("\n");
