import { describe, expect, it } from "vitest";
import { help, parseBenchArguments, UsageError } from "../../../bench/run/arguments.ts";
import { aScenario } from "./fixture/scenarios.ts";

const allocate = aScenario("allocate", { codes: 100, concurrency: 10 }, { codes: 10_000, concurrency: 100 });
const lookUps = aScenario("look-ups", { codes: 50, codesPerCell: 14 });
const known = [
  { scenario: allocate, check: { codes: 60 } },
  { scenario: lookUps, check: undefined },
];
const parse = (line: string) => parseBenchArguments(line.split(" ").filter(Boolean), known);
const runs = (line: string) => {
  const command = parse(line);
  if (command.action !== "run") throw new Error(`"${line}" runs nothing`);
  return command;
};
const options = (line: string) =>
  Object.fromEntries(runs(line).runs.map(({ scenario, options }) => [scenario.name, options]));

describe("the command line of npm run bench", () => {
  it("runs every scenario at its small size when nothing is said", () => {
    expect(runs("").size).toBe("small");
    expect(options("")).toEqual({ allocate: allocate.defaults.small, "look-ups": lookUps.defaults.small });
  });

  it("runs the named scenarios alone, in the bench's order", () => {
    expect(runs("look-ups allocate").runs.map(({ scenario }) => scenario.name)).toEqual([
      "allocate",
      "look-ups",
    ]);
    expect(Object.keys(options("look-ups"))).toEqual(["look-ups"]);
  });

  it("sets a scenario's options, in any spelling of a number", () => {
    expect(options("allocate --codes 100000")).toEqual({ allocate: { codes: 100_000, concurrency: 10 } });
    expect(options("allocate --codes=100_000 --size full").allocate).toEqual({
      codes: 100_000,
      concurrency: 100,
    });
    expect(options("allocate --codes 1,000,000").allocate?.codes).toBe(1_000_000);
    expect(options("look-ups --codes-per-cell 7")["look-ups"]).toEqual({ codes: 50, codesPerCell: 7 });
  });

  it("checks only scenarios that hold exact figures, unless others are named", () => {
    expect(Object.keys(options("--check look-ups"))).toEqual(["look-ups"]);
    expect(options("--check")).toEqual({ allocate: { codes: 60, concurrency: 10 } });
    expect(options("--check allocate --codes 7")).toEqual({ allocate: { codes: 7, concurrency: 10 } });
  });

  it("publishes full figures, if no other size is said", () => {
    expect(runs("--publish")).toMatchObject({ size: "full", publish: true });
    expect(runs("--publish --size small")).toMatchObject({ size: "small", publish: true });
  });

  it.each([
    ["nonsense", "There is no scenario nonsense. Scenarios: allocate, look-ups."],
    ["allocate --coeds 7", /There is no option --coeds\. Options: .*--codes, --concurrency/],
    [
      "allocate --codes-per-cell 7",
      "allocate has no option --codes-per-cell. Its options: --codes, --concurrency.",
    ],
    ["allocate --codes many", '--codes is a number, such as 1000 or 1_000, not "many".'],
    ["allocate --codes -7", "--codes"],
    ["--codes 7", "Say which scenario --codes is for."],
    ["--size huge", "There is no size huge. Sizes: small, full."],
    ["--check --size full", "--check has sizes of its own"],
    ["--check --publish", "not cut down"],
    ["--render allocate", "--render stands alone"],
  ])("refuses %s with what there is", (line, message) => {
    expect(() => parse(line)).toThrow(UsageError);
    expect(() => parse(line)).toThrow(message);
  });

  it("lists scenarios, options and defaults on --help", () => {
    expect(parse("allocate --help")).toEqual({ action: "help" });
    expect(help(known)).toContain("--codes 100 / 10000");
    expect(help(known)).toContain("--codes-per-cell 14 / 14");
  });
});
