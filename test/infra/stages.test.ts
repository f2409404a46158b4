import { describe, expect, it } from "vitest";
import { stageNames, stageSettings } from "../../infra/stages.ts";

describe("a stage", () => {
  it.each(stageNames)("of the name %s has settings", (name) => {
    expect(stageSettings(name).name).toBe(name);
  });

  it("that nobody defined is refused with the list of those that are", () => {
    expect(() => stageSettings("production")).toThrow(
      'There is no stage "production". Stages are local, dev, prod: see infra/stages.ts.',
    );
  });

  it.each(stageNames)("lets %s run at least two of each job, as Lambda asks", (name) => {
    expect(Math.min(...Object.values(stageSettings(name).jobConcurrency))).toBeGreaterThanOrEqual(2);
  });
});
