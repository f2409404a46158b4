import type { AttributeValue } from "@aws-sdk/client-dynamodb";

export type Item = Readonly<Record<string, AttributeValue>>;

const utf8Bytes = (text: string): number => Buffer.byteLength(text);

/** A byte for two significant digits, one more, and one for a minus sign. */
const numberBytes = (text: string): number => {
  const digits = text
    .replace(/e.*$/i, "")
    .replace(/[-+.]/g, "")
    .replace(/^0+|0+$/g, "");
  return Math.ceil(digits.length / 2) + 1 + (text.startsWith("-") ? 1 : 0);
};

const sum = <Value>(values: readonly Value[], bytesOf: (value: Value) => number): number =>
  values.reduce((bytes, value) => bytes + bytesOf(value), 0);

/** Bytes of one value, without its attribute's name. */
export const valueBytes = (value: AttributeValue): number => {
  if (value.S !== undefined) return utf8Bytes(value.S);
  if (value.N !== undefined) return numberBytes(value.N);
  if (value.B !== undefined) return value.B.byteLength;
  if (value.SS !== undefined) return sum(value.SS, utf8Bytes);
  if (value.NS !== undefined) return sum(value.NS, numberBytes);
  if (value.BS !== undefined) return sum(value.BS, (bytes) => bytes.byteLength);
  if (value.L !== undefined) return 3 + sum(value.L, (element) => 1 + valueBytes(element));
  if (value.M !== undefined)
    return 3 + sum(Object.entries(value.M), ([name, member]) => 1 + utf8Bytes(name) + valueBytes(member));
  return 1;
};

/**
 * Bytes of an item as DynamoDB counts them for write units, names included
 * (docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html).
 */
export const itemBytes = (item: Item): number =>
  sum(Object.entries(item), ([name, value]) => utf8Bytes(name) + valueBytes(value));

/** Units of one plain write that touches so many bytes: one per started KB, at least one. */
export const writeUnitsOf = (bytes: number): number => Math.max(1, Math.ceil(bytes / 1024));
