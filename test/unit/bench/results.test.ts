import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { mergeResults, readResults, writeResults } from "../../../bench/results/results.ts";
import { aFigure, aRecord } from "./fixture/scenarios.ts";

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "bench-"));
});
afterEach(() => rm(directory, { recursive: true }));

describe("results in a file", () => {
  it("come back as they were written", async () => {
    const file = join(directory, "results.json");
    const results = {
      scenarios: [
        aRecord({
          figures: [
            aFigure({ target: { atMost: 1 }, note: "why" }),
            aFigure({ name: "p99", value: Number.NaN, kind: "timed" }),
          ],
          tables: [{ title: "Table", columns: ["a", "b"], rows: [["x", null]] }],
        }),
      ],
    };

    await writeResults(file, results);

    expect(await readResults(file)).toEqual(results);
  });

  it("are missing without complaint, but not wrong without complaint", async () => {
    const file = join(directory, "results.json");

    expect(await readResults(file)).toBeUndefined();
    await writeFile(file, '{"scenarios":[{"name":"allocate"}]}');
    await expect(readResults(file)).rejects.toThrow();
  });

  it("take a scenario that was measured again in place of the old one, in the bench's order", () => {
    const old = { scenarios: [aRecord({ name: "load", seconds: 1 }), aRecord({ name: "gone" })] };
    const fresh = [aRecord({ name: "load", seconds: 2 }), aRecord({ name: "allocate" })];

    const { scenarios } = mergeResults(old, fresh, ["allocate", "load"]);

    expect(scenarios.map(({ name, seconds }) => [name, seconds])).toEqual([
      ["allocate", 1.5],
      ["load", 2],
    ]);
  });
});
