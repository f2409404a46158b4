import { describe, expect, it } from "vitest";
import { promotionStatuses } from "../../../shared/contract/promotions.ts";
import { assertActive, assertNotArchived, transitionVerdict } from "../../../shared/domain/promotion.ts";

const verdicts = (target: Parameters<typeof transitionVerdict>[1]) =>
  Object.fromEntries(promotionStatuses.map((status) => [status, transitionVerdict(status, target)]));

describe("a promotion's status", () => {
  it("leads from everywhere but the archive to active, deactivated and archived", () => {
    expect(verdicts("active")).toEqual({
      draft: "change",
      active: "same",
      deactivated: "change",
      archived: "refused",
    });
    expect(verdicts("deactivated")).toEqual({
      draft: "change",
      active: "change",
      deactivated: "same",
      archived: "refused",
    });
    expect(verdicts("archived")).toEqual({
      draft: "change",
      active: "change",
      deactivated: "change",
      archived: "same",
    });
  });

  it.each([
    ["draft", "a draft. Activate it"],
    ["deactivated", "deactivated. Activate it"],
    ["archived", "archived for good"],
  ] as const)("of %s gives out no codes, and says what to do", (status, sentence) => {
    expect(() => assertActive({ promotionId: "prm_1", status })).toThrow(sentence);
  });

  it("of active gives out codes", () => {
    expect(() => assertActive({ promotionId: "prm_1", status: "active" })).not.toThrow();
  });

  it("of archived is the only one that takes no changes", () => {
    const refused = promotionStatuses.filter((status) => {
      try {
        assertNotArchived({ promotionId: "prm_1", status });
        return false;
      } catch {
        return true;
      }
    });

    expect(refused).toEqual(["archived"]);
  });
});
