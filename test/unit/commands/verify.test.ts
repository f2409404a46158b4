import { describe, expect, it } from "vitest";
import { help, parseVerifyArguments } from "../../../commands/verify/arguments.ts";
import { breachesOfCell } from "../../../commands/verify/cell-rules.ts";
import { Findings } from "../../../commands/verify/findings.ts";
import { HashBag } from "../../../commands/verify/hash-bag.ts";
import { PassedCells } from "../../../commands/verify/passed-cells.ts";
import { reportText } from "../../../commands/verify/report-text.ts";
import { tombstone } from "../../../shared/pool/cell.ts";
import type { Generation } from "../../../shared/pool/generation.ts";

const generation: Generation = {
  number: 2,
  fileId: "fil_2",
  attempt: 7,
  codes: 100,
  shards: 5,
  cellsPerShard: 3,
  status: "published",
};

describe("the verify command", () => {
  it("understands where and what", () => {
    const nowhere = { directory: undefined, stage: undefined, table: undefined, region: undefined };

    expect(parseVerifyArguments([])).toEqual({ place: nowhere, json: false, promocodeId: undefined });
    expect(parseVerifyArguments(["--promocode", "pcd_1", "--stage", "prod", "--json"])).toEqual({
      place: { ...nowhere, stage: "prod" },
      json: true,
      promocodeId: "pcd_1",
    });
    expect(parseVerifyArguments(["--help"])).toBe("help");
    expect(help).toContain("--promocode");
  });

  it.each([
    [["--promocode", "no such id"], "GET /v1/promocodes"],
    [["--promocode"], "--promocode"],
    [["pcd_1"], "pcd_1"],
    [["--yes"], "--yes"],
  ])("refuses %j and says what is wrong", (given, sentence) => {
    expect(() => parseVerifyArguments(given)).toThrow(sentence);
  });
});

describe("findings", () => {
  const finding = { rule: "overfull", where: "here", detail: "too many" } as const;

  it("keep a suspicion that is there at every look, and drop one that is not", async () => {
    const findings = new Findings([0, 1, 1]);
    let looks = 0;
    findings.suspect(finding, async () => true);
    findings.suspect({ ...finding, where: "there" }, async () => {
      looks += 1;
      return looks < 3;
    });

    expect(await findings.settle()).toEqual([finding]);
    expect(looks).toBe(3);
  });

  it("tell the number of what they do not name", async () => {
    const findings = new Findings([0]);
    for (let at = 0; at < 250; at += 1) findings.add({ ...finding, where: `cell ${at}` });

    const settled = await findings.settle();

    expect(settled).toHaveLength(101);
    expect(settled.find(({ where }) => where === "elsewhere")?.detail).toContain("150 more");
  });
});

describe("a bag of hashes", () => {
  it("finds what came twice, in whatever order, and grows", () => {
    const bag = new HashBag();
    for (let at = 0; at < 200_000; at += 1) bag.add({ high: (at * 2_654_435_761) % 2 ** 32, low: at });
    bag.add({ high: 0, low: 0 });
    bag.add({ high: 7, low: 7 });
    bag.add({ high: 7, low: 8 });

    expect([...bag.repeated()]).toEqual(["0.0"]);
  });

  it("keeps those that may come again", () => {
    const bag = new HashBag();
    bag.add({ high: 5, low: 1 });
    bag.add({ high: 4_000_000_000, low: 2 });

    expect(bag.repeated(6).size).toBe(0);
    expect(bag.size).toBe(1);
    bag.add({ high: 4_000_000_000, low: 2 });
    expect([...bag.repeated()]).toEqual(["4000000000.2"]);
  });
});

describe("passed cells", () => {
  it("are named when they were passed and not full", () => {
    const cells = new PassedCells(generation);
    const at = (shard: number, cell: number) => ({ generation: 2, attempt: 7, shard, cell });
    cells.wasPassed(at(0, 0));
    cells.wasFull(at(0, 0));
    cells.wasPassed(at(4, 2));
    cells.wasPassed(at(2, 1));
    cells.wasFull(at(3, 0));

    expect([...cells.passedButNotFull()]).toEqual([at(2, 1), at(4, 2)]);
  });
});

describe("a cell by itself", () => {
  const address = { generation: 1, attempt: 1, shard: 0, cell: 0 };
  const stamp = { at: 0, contextId: "" };
  const cell = { address, capacity: 2, codes: ["A", "B"], tokens: ["x"], stamps: [stamp] };

  it("is in order with room, full, sealed, empty or erased", () => {
    expect(breachesOfCell(cell)).toEqual([]);
    expect(breachesOfCell({ ...cell, capacity: 1 })).toEqual([]);
    expect(breachesOfCell({ ...cell, capacity: 0, codes: [], tokens: [], stamps: [] })).toEqual([]);
    expect(breachesOfCell({ ...cell, tokens: [tombstone, tombstone], stamps: [stamp, stamp] })).toEqual([]);
  });

  it("is not when somebody is in it twice", () => {
    const breaches = breachesOfCell({ ...cell, tokens: ["x", "x"], stamps: [stamp, stamp] });
    expect(breaches.map(({ rule }) => rule)).toEqual(["holder-twice"]);
  });
});

describe("a report", () => {
  const report = {
    promocodeId: "pcd_1",
    method: "Varying",
    generations: 1,
    cells: 80,
    codes: 1_000,
    allocated: 400,
    free: 590,
    withdrawn: 10,
    holders: { atFirstHome: 300, atSecondHome: 60, byIntent: 40, erased: 0, consistent: 0, varying: 400 },
    findings: [],
    warnings: [],
  } as const;

  it("tells what was seen", () => {
    expect(reportText(report)).toBe(
      [
        "pcd_1, Varying",
        "  1 file, 80 cells, 1,000 codes: 400 allocated, 590 free, 10 withdrawn",
        "  holders: 300 at their first home, 60 at their second, 40 by intent, 0 erased",
        "  nothing found",
      ].join("\n"),
    );
  });

  it("says what each breach means, and where", () => {
    const text = reportText({
      ...report,
      holders: { ...report.holders, consistent: 4, varying: 396 },
      findings: [{ rule: "overfull", where: "cell 1", detail: "3 of 2" }],
      warnings: [{ rule: "count-behind", where: "file fil_1", detail: "399 counted, 400 held" }],
    });

    expect(text).toContain("FOUND overfull: a cell has more holders");
    expect(text).toContain("    cell 1: 3 of 2");
    expect(text).toContain("perhaps count-behind");
    expect(text).toContain("the method was changed: 4 codes");
    expect(text).not.toContain("nothing found");
  });
});
