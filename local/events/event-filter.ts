import type { EventPattern } from "../template/facts.ts";

/** True when the event fits one of the patterns, or there are none. */
export type EventFilter = (event: unknown) => boolean;

/**
 * Lambda's event filtering (docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html) with equality,
 * `prefix`, `suffix`, `exists` and `anything-but`. Throws at the start for a condition that is not imitated.
 */
export function eventFilter(patterns: readonly EventPattern[]): EventFilter {
  const tests = patterns.map(testFor);
  return (event) => tests.length === 0 || tests.some((test) => test(event));
}

type Test = (value: unknown) => boolean;

function testFor(pattern: unknown): Test {
  if (Array.isArray(pattern)) {
    const conditions = pattern.map(conditionFor);
    return (value) => conditions.some((condition) => condition(value));
  }
  if (typeof pattern !== "object" || pattern === null)
    throw new Error(`A filter pattern ends in lists of conditions, not in ${JSON.stringify(pattern)}.`);
  const fields = Object.entries(pattern).map(([name, inner]) => ({ name, test: testFor(inner) }));
  return (value) =>
    fields.every(({ name, test }) =>
      test(
        typeof value === "object" && value !== null ? (value as Record<string, unknown>)[name] : undefined,
      ),
    );
}

function conditionFor(condition: unknown): Test {
  if (typeof condition !== "object" || condition === null) return (value) => value === condition;
  const [[name, operand] = ["", undefined]] = Object.entries(condition);
  switch (name) {
    case "prefix":
      return (value) => typeof value === "string" && value.startsWith(String(operand));
    case "suffix":
      return (value) => typeof value === "string" && value.endsWith(String(operand));
    case "exists":
      return (value) => (value !== undefined) === operand;
    case "anything-but": {
      const refused = Array.isArray(operand) ? operand : [operand];
      const conditions = refused.map(conditionFor);
      return (value) => value !== undefined && !conditions.some((test) => test(value));
    }
    default:
      throw new Error(
        `The filter condition ${JSON.stringify(condition)} is not imitated by the local service.`,
      );
  }
}
