/** `count` codes that differ, 12 characters each. */
export const someCodes = (count: number, prefix = "CODE"): readonly string[] =>
  Array.from({ length: count }, (_, index) => `${prefix}${String(index).padStart(12 - prefix.length, "0")}`);

export const customers = (count: number, prefix = "customer"): readonly string[] =>
  Array.from({ length: count }, (_, index) => `${prefix}-${index}`);
