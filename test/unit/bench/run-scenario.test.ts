import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { flawOf, runScenario } from "../../../bench/run/run-scenario.ts";
import { aFigure } from "./fixture/scenarios.ts";

const processFile = fileURLToPath(new URL("./fixture/process.ts", import.meta.url));
const run = (name: string, onProgress: (what: string, done: number | undefined) => void = () => {}) =>
  runScenario({ name, options: {} }, onProgress, processFile);

describe("a scenario in its own process", () => {
  it("tells its progress and answers its figures, also one that came to nothing", async () => {
    const progress: unknown[] = [];

    const { outcome, usage } = await run("answers", (what, done) => progress.push([what, done]));

    expect(progress).toEqual([["half of it", 0.5]]);
    expect(outcome.figures[0]?.value).toBeNaN();
    expect(usage.peakMemoryMb).toBe(1);
  });

  it.each([
    ["throws", "the pool ran dry"],
    ["dies", "dies ended without an answer (SIGKILL)"],
    ["leaves", "leaves ended without an answer (exit code 3)"],
    ["answers-twice-the-same-name", 'two figures are called "a figure"'],
  ])("fails the bench when it %s", async (name, message) => {
    await expect(run(name)).rejects.toThrow(message);
  });

  it("is known by the bench's own child", async () => {
    await expect(runScenario({ name: "nonsense", options: {} }, () => {})).rejects.toThrow(
      "There is no scenario nonsense.",
    );
  });
});

describe("an outcome", () => {
  it("must have rows as long as its columns", () => {
    const crooked = { title: "By fullness", columns: ["used", "units"], rows: [["0 %", 1], ["50 %"]] };

    expect(flawOf({ figures: [aFigure()], tables: [crooked] })).toContain('"By fullness" has a row');
    expect(flawOf({ figures: [aFigure()], tables: [{ ...crooked, rows: [["0 %", 1]] }] })).toBeUndefined();
  });
});
