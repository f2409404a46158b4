import { describe, expect, it } from "vitest";
import { previewOf } from "../../../../functions/allocate-audience/preview.ts";

describe("a preview's sentence", () => {
  it("says how many codes are missing", () => {
    expect(previewOf(118_204, 7_911, 92_000)).toEqual({
      customers: 118_204,
      held: 7_911,
      free: 92_000,
      missing: 18_293,
      sentence: "needs 118,204 codes, 7,911 already hold one, 92,000 free: short by 18,293",
    });
  });

  it("says that there are enough", () => {
    expect(previewOf(1_000, 400, 600).sentence).toBe(
      "needs 1,000 codes, 400 already hold one, 600 free: enough",
    );
    expect(previewOf(1_000, 400, 9_000).missing).toBe(0);
  });
});
