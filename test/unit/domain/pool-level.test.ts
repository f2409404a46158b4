import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type GenerationNow,
  newsOfPool,
  nothingTold,
  type PoolNow,
  type ToldOfPool,
} from "../../../shared/domain/pool-level.ts";

const aGeneration = (number: number, codes: number, allocated: number): GenerationNow => ({
  number,
  codes,
  available: codes - allocated,
  total: codes,
});
const aPool = (more: Partial<PoolNow> = {}): PoolNow => ({
  uniqueCodes: { lowPoolThreshold: 10 },
  generations: [aGeneration(1, 100, 0)],
  defaultsGiven: 0,
  ...more,
});
const toldBy = (pool: PoolNow, told: ToldOfPool = nothingTold) => newsOfPool(told, pool)?.told ?? told;
const newsOf = (pool: PoolNow, told: ToldOfPool = nothingTold) => newsOfPool(told, pool)?.news;

describe("the news of a pool", () => {
  it.each([
    [11, undefined],
    [10, ["low-by-count"]],
    [0, ["low-by-count", "dry"]],
  ])("with %i codes left and a threshold of 10 are %j", (available, news) => {
    expect(newsOf(aPool({ generations: [aGeneration(1, 100, 100 - available)] }))).toEqual(news);
  });

  it.each([
    [21, undefined],
    [20, ["low-by-percent"]],
  ])("with %i of 200 left and a threshold of 10 percent are %j", (available, news) => {
    const pool = aPool({
      uniqueCodes: { lowPoolPercent: 10 },
      generations: [aGeneration(1, 200, 200 - available)],
    });

    expect(newsOf(pool)).toEqual(news);
  });

  it("are told of both thresholds, each for itself", () => {
    const uniqueCodes = { lowPoolThreshold: 5, lowPoolPercent: 20 };
    const early = aPool({ uniqueCodes, generations: [aGeneration(1, 100, 80)] });
    const late = aPool({ uniqueCodes, generations: [aGeneration(1, 100, 95)] });

    expect(newsOf(early)).toEqual(["low-by-percent"]);
    expect(newsOf(late, toldBy(early))).toEqual(["low-by-count"]);
  });

  it("are none without a threshold until the pool is dry", () => {
    expect(newsOf(aPool({ uniqueCodes: {}, generations: [aGeneration(1, 100, 99)] }))).toBeUndefined();
    expect(newsOf(aPool({ uniqueCodes: {}, generations: [aGeneration(1, 100, 100)] }))).toEqual(["dry"]);
  });

  it("are told once, however low it gets", () => {
    const low = toldBy(aPool({ generations: [aGeneration(1, 100, 90)] }));

    expect(newsOf(aPool({ generations: [aGeneration(1, 100, 95)] }), low)).toBeUndefined();
  });

  it("are told again after a refill that lifted the pool above the threshold", () => {
    const low = toldBy(aPool({ generations: [aGeneration(1, 100, 95)] }));
    const refilled = toldBy(aPool({ generations: [aGeneration(1, 100, 95), aGeneration(2, 6, 0)] }), low);

    expect(refilled.levels).toEqual([]);
    expect(newsOf(aPool({ generations: [aGeneration(1, 100, 96), aGeneration(2, 6, 0)] }), refilled)).toEqual(
      ["low-by-count"],
    );
  });

  it("are not told again after a refill that did not", () => {
    const low = toldBy(aPool({ generations: [aGeneration(1, 100, 95)] }));
    const refilled = aPool({ generations: [aGeneration(1, 100, 95), aGeneration(2, 5, 0)] });

    expect(newsOf(refilled, low)).toBeUndefined();
  });

  it("are told again when a refill came and was used up unseen", () => {
    const dry = toldBy(aPool({ generations: [aGeneration(1, 100, 100)] }));
    const usedUp = aPool({ generations: [aGeneration(1, 100, 100), aGeneration(2, 50, 50)] });

    expect(newsOf(usedUp, dry)).toEqual(["low-by-count", "dry"]);
  });

  it("of a small refill that was used up unseen tell of the dryness alone", () => {
    const dry = toldBy(aPool({ generations: [aGeneration(1, 100, 100)] }));
    const usedUp = aPool({ generations: [aGeneration(1, 100, 100), aGeneration(2, 3, 3)] });

    expect(newsOf(usedUp, dry)).toEqual(["dry"]);
  });

  it("of default codes come once for each time that the pool is dry", () => {
    const drained = [aGeneration(1, 100, 100)];
    const dry = toldBy(aPool({ generations: drained }));
    const given = aPool({ generations: drained, defaultsGiven: 1 });
    const told = toldBy(given, dry);
    const refilled = toldBy(
      aPool({ generations: [...drained, aGeneration(2, 50, 0)], defaultsGiven: 7 }),
      told,
    );
    const dryAgain = aPool({ generations: [...drained, aGeneration(2, 50, 50)], defaultsGiven: 7 });

    expect(newsOf(given, dry)).toEqual(["defaults"]);
    expect(newsOf(aPool({ generations: drained, defaultsGiven: 2 }), told)).toBeUndefined();
    expect(newsOf(dryAgain, refilled)).toEqual(["low-by-count", "dry"]);
    expect(newsOf({ ...dryAgain, defaultsGiven: 8 }, toldBy(dryAgain, refilled))).toEqual(["defaults"]);
  });

  it("of default codes that were counted before the last code wait for it", () => {
    const early = aPool({ generations: [aGeneration(1, 100, 99)], defaultsGiven: 1 });
    const low = toldBy(early);

    expect(newsOf(early)).toEqual(["low-by-count"]);
    expect(newsOf(aPool({ generations: [aGeneration(1, 100, 100)], defaultsGiven: 1 }), low)).toEqual([
      "dry",
      "defaults",
    ]);
  });

  it("of a pool that never had a file are its default codes alone", () => {
    expect(newsOf(aPool({ generations: [] }))).toBeUndefined();
    expect(newsOf(aPool({ generations: [], defaultsGiven: 1 }))).toEqual(["defaults"]);
  });

  it("of a pool whose free codes were withdrawn are that it is dry", () => {
    const withdrawn = { number: 1, codes: 100, available: 0, total: 40 };

    expect(newsOf(aPool({ uniqueCodes: {}, generations: [withdrawn] }))).toEqual(["dry"]);
  });

  it("follow the threshold: raised it can be reached at once, lowered it is armed again", () => {
    const generations = [aGeneration(1, 100, 70)];
    const raised = aPool({ uniqueCodes: { lowPoolThreshold: 50 }, generations });
    const lowered = aPool({ uniqueCodes: { lowPoolThreshold: 20 }, generations });

    expect(newsOf(aPool({ generations }))).toBeUndefined();
    expect(newsOf(raised)).toEqual(["low-by-count"]);
    expect(toldBy(lowered, toldBy(raised)).levels).toEqual([]);
  });

  it("are, over any life of a pool, one for each time that a threshold was crossed", () => {
    const step = fc.oneof(
      fc.record({ take: fc.integer({ min: 1, max: 40 }) }),
      fc.record({ refill: fc.integer({ min: 1, max: 60 }) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const generations: GenerationNow[] = [];
        const told = { low: 0, dry: 0 };
        const crossed = { low: 0, dry: 0 };
        let state = nothingTold;
        let before = { low: false, dry: false };
        for (const one of steps) {
          if ("refill" in one) generations.push(aGeneration(generations.length + 1, one.refill, 0));
          else {
            let { take } = one;
            for (const [at, generation] of generations.entries()) {
              const taken = Math.min(take, generation.available);
              generations[at] = { ...generation, available: generation.available - taken };
              take -= taken;
            }
          }
          const available = generations.reduce((sum, each) => sum + each.available, 0);
          const now = {
            low: generations.length > 0 && available <= 10,
            dry: generations.length > 0 && available === 0,
          };
          if (now.low && !before.low) crossed.low += 1;
          if (now.dry && !before.dry) crossed.dry += 1;
          before = now;
          const found = newsOfPool(state, aPool({ generations: [...generations] }));
          state = found?.told ?? state;
          if (found?.news.includes("low-by-count")) told.low += 1;
          if (found?.news.includes("dry")) told.dry += 1;
        }
        expect(told).toEqual(crossed);
      }),
      { numRuns: 500 },
    );
  });
});
