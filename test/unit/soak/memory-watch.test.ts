import { describe, expect, it } from "vitest";
import { MemoryWatch } from "../../../soak/memory-watch.ts";

const watchOf = (samples: readonly number[]): MemoryWatch => {
  const rest = samples.values();
  const watch = new MemoryWatch(() => rest.next().value);
  for (const _ of samples) watch.sample();
  return watch;
};
const samples = (at: (index: number) => number) => Array.from({ length: 100 }, (_, index) => at(index));

describe("the soak's watch over memory", () => {
  it("calls a level that goes up and down flat, and a warm-up no trend", () => {
    const watch = watchOf(samples((index) => (index < 20 ? 100 + index * 10 : 300 + (index % 7) * 10)));

    expect(watch.isFlat).toBe(true);
  });

  it("notices a leak", () => {
    const watch = watchOf(samples((index) => 200 + 2 * index));

    expect(watch.isFlat).toBe(false);
    expect(watch.ends[1]).toBeGreaterThan(watch.ends[0]);
  });

  it("does not judge what it saw for too short a time", () => {
    expect(watchOf([100, 200, 300]).isFlat).toBeUndefined();
  });
});
