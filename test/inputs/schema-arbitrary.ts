import fc from "fast-check";
import type { Schema } from "./description.ts";

/** A property whose value comes from elsewhere: an id of something that is there. */
export type Known = (property: string, isRequired: boolean) => fc.Arbitrary<unknown> | undefined;

/** Finds what a `$ref` refers to. */
export type Resolve = (schema: Schema) => Schema;

/** Longest list that is made where the schema permits a thousand entries: their number is not what is tried here. */
const longestList = 4;

/** Values of a schema: what a caller who read the description would send. */
export const valuesOf = (
  schema: Schema,
  resolve: Resolve,
  known: Known = () => undefined,
): fc.Arbitrary<unknown> => {
  const found = resolve(schema);
  if (found.const !== undefined) return fc.constant(found.const);
  if (found.enum) return fc.constantFrom(...found.enum);
  if (found.anyOf) return fc.oneof(...found.anyOf.map((each) => valuesOf(each, resolve, known)));
  if (Array.isArray(found.type))
    return fc.oneof(...found.type.map((type: string) => valuesOf({ ...found, type }, resolve, known)));
  switch (found.type) {
    case "object":
      return objectsOf(found, resolve, known);
    case "array":
      return fc.array(valuesOf(found.items ?? {}, resolve, known), {
        minLength: found.minItems ?? 0,
        maxLength: Math.min(found.maxItems ?? longestList, longestList),
      });
    case "string":
      return stringsOf(found);
    case "integer":
      return fc.integer({ min: found.minimum ?? -(2 ** 31), max: found.maximum ?? 2 ** 31 });
    case "number":
      return fc.double({ min: found.minimum ?? -1e9, max: found.maximum ?? 1e9, noNaN: true });
    case "boolean":
      return fc.boolean();
    case "null":
      return fc.constant(null);
    default:
      throw new Error(`The fuzzer makes no values of ${JSON.stringify(found)}: teach it to.`);
  }
};

const objectsOf = (schema: Schema, resolve: Resolve, known: Known): fc.Arbitrary<unknown> => {
  const required = schema.required ?? [];
  const fields = Object.entries(schema.properties ?? {}).map(
    ([name, value]): [string, fc.Arbitrary<unknown>] => {
      const isRequired = required.includes(name);
      return [name, known(name, isRequired) ?? valuesOf(value, resolve, known)];
    },
  );
  const named = fc.record(Object.fromEntries(fields), { requiredKeys: [...required] });
  if (typeof schema.additionalProperties !== "object") return named;
  const free = fc.dictionary(
    schema.propertyNames ? stringsOf(schema.propertyNames) : fc.string(),
    valuesOf(schema.additionalProperties, resolve, known),
    { minKeys: schema.minProperties ?? 0, maxKeys: Math.min(schema.maxProperties ?? 4, 4) },
  );
  return fc.tuple(free, named).map(([others, own]) => ({ ...others, ...own }));
};

const stringsOf = ({ pattern, format, minLength = 0, maxLength = 200 }: Schema): fc.Arbitrary<string> => {
  if (format === "date-time")
    return fc
      .tuple(
        fc.date({ min: new Date("0001-01-01"), max: new Date("9998-12-31"), noInvalidDate: true }),
        fc.constantFrom("Z", "+00:00", "-11:30", "+14:00"),
      )
      .map(([date, offset]) => date.toISOString().replace("Z", offset));
  if (pattern === undefined) return texts(minLength, maxLength);
  const expression = new RegExp(pattern, "u");
  const fitting = isPlain(pattern)
    ? fc.stringMatching(new RegExp(pattern))
    : withEnding(pattern, texts(minLength, lengthOf(pattern) ?? maxLength));
  return fitting.filter((text) => expression.test(text) && characters(text) <= maxLength);
};

/** What fast-check can read: no properties of Unicode, no looking around. */
const isPlain = (pattern: string): boolean => !/\\p|\\P|\(\?/.test(pattern);

const characters = (text: string): number => [...text].length;

/** The greatest number of repetitions that the pattern names. */
const lengthOf = (pattern: string): number | undefined => {
  const counts = [...pattern.matchAll(/\{\d+,(\d+)\}/g)].map(([, most]) => Number(most));
  return counts.length > 0 ? Math.max(...counts) : undefined;
};

/** The pattern of a file's name ends with its suffix. */
const withEnding = (pattern: string, start: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  pattern.includes("\\.[cC][sS][vV]") ? start.map((text) => `${text.replace(/[/\\]/g, "_")}.csv`) : start;

/** Letters of many kinds: what callers have in their ids, and what breaks programs. */
const oddCharacters = fc.constantFrom(
  ..."aZ09 _-.,;:'\"`<>&%+=@#?/\\~^|$(){}[]*!".split(""),
  ..."éßıİñ中文あ한عبש".split(""),
  "\u0301", // combining acute accent
  "\u200d", // zero width joiner
  "\u202e", // right-to-left override
  "\u2028", // line separator
  "\u00a0", // no-break space
  "\ufeff", // byte order mark
  "\ufffd", // replacement character
  "\uffff", // no character at all
  "😀",
  "👩‍👩‍👧",
  "𠜎",
);

const texts = (min: number, max: number): fc.Arbitrary<string> =>
  fc.oneof(
    { weight: 4, arbitrary: fc.string({ minLength: min, maxLength: Math.min(max, 24), unit: "grapheme" }) },
    {
      weight: 4,
      arbitrary: fc.string({ minLength: min, maxLength: Math.min(max, 40), unit: oddCharacters }),
    },
    // As long as it may be, in characters that are one, two and four bytes.
    {
      weight: 1,
      arbitrary: fc.constantFrom("x", "é", "😀", "中").map((character) => character.repeat(max)),
    },
  );
