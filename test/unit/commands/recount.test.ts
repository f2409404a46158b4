import { describe, expect, it } from "vitest";
import { help, parseRecountArguments } from "../../../commands/recount/arguments.ts";

describe("the recount command", () => {
  it("changes nothing unless it is told to", () => {
    expect(parseRecountArguments([])).toMatchObject({
      yes: false,
      quietSeconds: 60,
      promocodeId: undefined,
      json: false,
    });
    expect(
      parseRecountArguments(["--promocode", "pcd_1", "--yes", "--quiet", "5m", "--table", "t"]),
    ).toMatchObject({
      yes: true,
      quietSeconds: 300,
      promocodeId: "pcd_1",
      place: { table: "t" },
    });
    expect(parseRecountArguments(["-h"])).toBe("help");
    expect(help).toContain("--yes");
  });

  it.each([
    [["--quiet", "soon"], "--quiet is a time such as 0s, 30m, 24h or 7d."],
    [["--promocode", "a b"], "GET /v1/promocodes"],
    [["all"], "all"],
    [["--force"], "--force"],
  ])("refuses %j and says what is wrong", (given, sentence) => {
    expect(() => parseRecountArguments(given)).toThrow(sentence);
  });
});
