import { beforeAll, describe, expect, it } from "vitest";
import { playPoolLife, type Stretch } from "../../../bench/lib/pool-life.ts";

/**
 * The real allocation code on a pool in memory that charges as DynamoDB does, in virtual time: a seed gives the same
 * figures on every machine. `playPoolLife` itself throws when a code is burnt, given twice or missed.
 */
describe("what a pool of 70,000 codes costs when 100 instances with a memory each empty it", () => {
  let stretches: readonly Stretch[];
  beforeAll(async () => {
    ({ stretches } = await playPoolLife({ codes: 70_000, instances: 100 }));
  }, 0);

  const per = (figure: "writeUnits" | "refused" | "calls", of: readonly Stretch[]) =>
    of.reduce((sum, stretch) => sum + stretch[figure], 0) /
    of.reduce((sum, { allocations }) => sum + allocations, 0);
  const stretch = (name: string) => stretches.filter((one) => one.name === name);

  it("is one write and one round trip to half full, refused once in a hundred", () => {
    const toHalf = stretch("0-50 %");

    expect(per("writeUnits", toHalf)).toBeLessThan(1.01);
    expect(per("calls", toHalf)).toBeLessThan(1.01);
    expect(per("refused", toHalf)).toBeLessThan(0.01);
  });

  it("is 1.12 write units over the whole life", () => {
    expect(per("writeUnits", stretches)).toBeLessThan(1.12);
  });

  it("is less than three write units and one refusal in five for the last 1 %", () => {
    const last = stretch("last 1 %");

    expect(per("writeUnits", last)).toBeLessThan(3);
    expect(per("refused", last)).toBeLessThan(0.2);
  });
});
