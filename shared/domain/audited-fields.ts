/** What an audit entry keeps of a text, in characters, and of a list or an object, in entries. */
const mostCharacters = 200;
const mostEntries = 20;

/** Who a customer is, is nobody's business in the audit trail: it is kept for ever, and shown to every admin. */
const left = new Set(["customerId"]);

/** A bounded copy of what a call or a command asked for, without customer ids. */
export const auditedFields = (asked: Readonly<Record<string, unknown>>): Record<string, unknown> => {
  const all = Object.entries(asked).filter(([name, value]) => value !== undefined && !left.has(name));
  const kept = all.slice(0, mostEntries).map(([name, value]) => [cut(name), auditedValue(value)] as const);
  return Object.fromEntries([...kept, ...more(all.length)]);
};

const auditedValue = (value: unknown): unknown => {
  if (typeof value === "string") return cut(value);
  if (Array.isArray(value)) return value.slice(0, mostEntries).map(auditedValue);
  if (typeof value === "object" && value !== null) return auditedFields(value as Record<string, unknown>);
  return value;
};

/** By code points, so that no surrogate is torn from its other half. */
const cut = (text: string): string => {
  const characters = [...text];
  return characters.length <= mostCharacters ? text : `${characters.slice(0, mostCharacters).join("")}…`;
};

const more = (entries: number): readonly (readonly [string, string])[] =>
  entries > mostEntries ? [["…", `and ${entries - mostEntries} more`]] : [];
