import { describe, expect, it } from "vitest";
import { mutants, withMutant } from "./mutants.ts";
import { playScenarios } from "./scenario.ts";

/**
 * `MODEL_SCENARIOS` plays more, `MODEL_SEED` starts elsewhere. A failing seed is in the message; replay it alone with
 * `MODEL_SEED=<seed> MODEL_SCENARIOS=1 npx vitest run test/model`.
 */
const scenarios = Number(process.env.MODEL_SCENARIOS ?? 20_000);
const firstSeed = Number(process.env.MODEL_SEED ?? 1);

describe("the pool's protocol, with every store operation a scheduling point", () => {
  it(`keeps its promises in ${scenarios} random runs`, { timeout: 0 }, async () => {
    const violations = await playScenarios(firstSeed, scenarios);

    expect(violations).toEqual([]);
  });
});

describe("the model checker", () => {
  it.each(mutants)("catches $name: $breaks", { timeout: 0 }, async (mutant) => {
    const mutated = await withMutant(mutant);

    const violations = await mutated.playScenarios(1, 20_000, { stopAtFirst: true });

    expect(violations).toHaveLength(1);
    const [caught] = violations;
    // The seed alone replays the run.
    expect(await mutated.playScenario(caught?.seed ?? 0)).toBe(caught?.violation);
  });
});
