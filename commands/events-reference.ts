import * as z from "zod";
import { deliveredExample, type EventName, eventNames, events } from "../shared/contract/events.ts";

/** Everything between these lines of `docs/events.md` is made of the contract. */
const begin = "<!-- events:begin -->";
const end = "<!-- events:end -->";

/** The page with the reference of today; throws when it has no place for it. */
export const withEventsReference = (page: string): string => {
  const from = page.indexOf(begin);
  const to = page.indexOf(end);
  if (from < 0 || to < from) throw new Error(`docs/events.md needs a line ${begin} and, behind it, ${end}`);
  return `${page.slice(0, from + begin.length)}\n${reference()}\n${page.slice(to)}`;
};

const reference = (): string =>
  [
    "Every `detail` has",
    "",
    table(fieldsOf(eventNames[0] as EventName).filter(({ name }) => commonNames.has(name))),
    ...eventNames.map(sectionOf),
  ].join("\n");

const sectionOf = (name: EventName): string =>
  [
    "",
    `### ${name}`,
    "",
    events[name].when,
    "",
    table(fieldsOf(name).filter((field) => !commonNames.has(field.name))),
    "",
    "```json",
    JSON.stringify(deliveredExample(name).detail, null, 2),
    "```",
  ].join("\n");

interface Field {
  readonly name: string;
  readonly type: string;
  readonly description: string;
}

interface Schema {
  readonly type?: string;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly Schema[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly description?: string;
}

const commonNames: ReadonlySet<string> = new Set(["version", "eventId", "occurredAt", "message"]);

const fieldsOf = (name: EventName): readonly Field[] =>
  Object.entries<z.ZodType>(events[name].detail.shape).map(([field, type]) => {
    const schema = z.toJSONSchema(type) as Schema;
    return { name: field, type: typeOf(schema), description: schema.description ?? "" };
  });

/** Longer lists of values stand in openapi.json alone. */
const mostValues = 4;

const typeOf = ({ type, const: only, enum: values, anyOf, properties }: Schema): string => {
  if (only !== undefined) return `\`${JSON.stringify(only)}\``;
  if (anyOf) return anyOf.map(typeOf).join(" or ");
  if (values && values.length <= mostValues)
    return values.map((value) => `\`${JSON.stringify(value)}\``).join(", ");
  if (properties) return `object of ${Object.keys(properties).join(", ")}`;
  return type ?? "any";
};

const table = (fields: readonly Field[]): string =>
  [
    "| field | type | |",
    "| --- | --- | --- |",
    ...fields.map(({ name, type, description }) => `| \`${name}\` | ${type} | ${description} |`),
  ].join("\n");
