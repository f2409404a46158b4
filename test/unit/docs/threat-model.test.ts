import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const page = fileURLToPath(new URL("../../../docs/threat-model.md", import.meta.url));
const text = readFileSync(page, "utf8");
const threats = text.split("\n").filter((line) => /^\| (?!---|who \|)/.test(line));
const linksIn = (line: string) => [...line.matchAll(/\]\(([^)]+)\)/g)].map(([, link]) => link ?? "");

describe("the threat model", () => {
  it("names for every threat a test that shows how it is stopped", () => {
    const shown = threats.map((line) => linksIn(line).filter((link) => link.endsWith(".test.ts")).length);

    expect(threats.length).toBeGreaterThan(10);
    expect(shown.every((tests) => tests > 0)).toBe(true);
  });

  it("links to nothing that is not there", () => {
    const missing = linksIn(text).filter((link) => !existsSync(join(dirname(page), link)));

    expect(missing).toEqual([]);
  });
});
