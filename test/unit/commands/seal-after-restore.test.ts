import { describe, expect, it } from "vitest";
import { help, parseSealArguments } from "../../../commands/seal-after-restore/arguments.ts";

describe("the seal-after-restore command", () => {
  it("changes nothing unless it is told to", () => {
    expect(parseSealArguments([])).toMatchObject({ yes: false, promocodeId: undefined });
    expect(parseSealArguments(["--yes", "--promocode", "pcd_1", "--stage", "prod"])).toMatchObject({
      yes: true,
      promocodeId: "pcd_1",
      place: { stage: "prod" },
    });
    expect(parseSealArguments(["--help"])).toBe("help");
    expect(help).toContain("before anybody allocates");
  });

  it.each([
    [["--promocode", "ä"], "GET /v1/promocodes"],
    [["pcd_1"], "pcd_1"],
    [["--force"], "--force"],
  ])("refuses %j and says what is wrong", (given, sentence) => {
    expect(() => parseSealArguments(given)).toThrow(sentence);
  });
});
