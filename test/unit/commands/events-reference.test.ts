import { readFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { withEventsReference } from "../../../commands/events-reference.ts";
import { deliveredExample, eventNames, events } from "../../../shared/contract/events.ts";

const page = await readFile(new URL("../../../docs/events.md", import.meta.url), "utf8");

describe("docs/events.md", () => {
  it('is what the contract says: run "npm run openapi" and commit it', () => {
    expect(withEventsReference(page)).toBe(page);
  });

  it.each(eventNames)("tells of %s when it comes, each of its fields, and shows one", (name) => {
    const from = page.indexOf(`### ${name}\n`);
    const section = page.slice(from, page.indexOf("```\n", page.indexOf("```json", from)));

    expect(section).toContain(events[name].when);
    expect(JSON.parse(section.slice(section.indexOf("{\n")))).toEqual(deliveredExample(name).detail);
    const common = page.slice(page.indexOf("<!-- events:begin -->"), page.indexOf("### PoolLow\n"));
    for (const field of Object.keys(events[name].detail.shape))
      expect(`${common}${section}`).toContain(`| \`${field}\` |`);
  });

  it("needs the lines that the reference stands between", () => {
    expect(() => withEventsReference("# Events\n")).toThrow("needs a line <!-- events:begin -->");
  });
});
