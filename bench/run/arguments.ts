import { parseArgs } from "node:util";
import type { Scenario, Size } from "../scenario.ts";

/** One scenario to run, with every option settled. */
export interface PlannedRun {
  readonly scenario: Scenario;
  readonly options: Readonly<Record<string, number>>;
}

export type BenchCommand =
  | { readonly action: "help" }
  /** Makes what is published from `results.json` again, without measuring. */
  | { readonly action: "render" }
  | {
      readonly action: "run";
      readonly size: Size;
      readonly check: boolean;
      readonly publish: boolean;
      readonly runs: readonly PlannedRun[];
    };

/** The command line does not say what to do; the message says why. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

export interface KnownScenario {
  readonly scenario: Scenario;
  /** Its options under `--check`, where they differ from the small ones; undefined leaves it out there. */
  readonly check: Readonly<Record<string, number>> | undefined;
}

const fixedOptions = {
  size: { type: "string" },
  check: { type: "boolean", default: false },
  publish: { type: "boolean", default: false },
  render: { type: "boolean", default: false },
  help: { type: "boolean", short: "h", default: false },
} as const;

/** `codesPerCell` is `--codes-per-cell` on the command line. */
const flagOf = (option: string): string => option.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

export const help = (known: readonly KnownScenario[]): string => `npm run bench [-- <scenario>... [options]]

  (nothing)           runs every scenario at its small size
  <scenario>...       runs these alone; options of theirs can be set
  --size <size>       small: seconds each; full: what is published, hours in all
  --check             cut down to a minute or so; fails when an exact figure misses its target
  --publish           full size if no other is said; writes bench/results.json, the pictures
                      and the README's table
  --render            writes the pictures and the README's table again, without measuring
  --help

Scenarios and their options, as small / full:

${known.map(({ scenario }) => describe(scenario)).join("\n\n")}
`;

const describe = ({ name, summary, defaults }: Scenario): string =>
  [
    `  ${name}: ${summary}`,
    ...Object.entries(defaults.small).map(
      ([option, small]) => `      --${flagOf(option)} ${small} / ${defaults.full[option]}`,
    ),
  ].join("\n");

/** Reads the command line. Throws `UsageError`. */
export const parseBenchArguments = (
  given: readonly string[],
  known: readonly KnownScenario[],
): BenchCommand => {
  const { values, positionals } = parse(given, known);
  if (values.help === true) return { action: "help" };
  if (values.render === true) {
    if (given.length > 1) throw new UsageError("--render stands alone: it measures nothing.");
    return { action: "render" };
  }
  const check = values.check === true;
  const publish = values.publish === true;
  const size = sizeIn(values.size, publish, check);
  const chosen = positionals.length > 0 ? chosenOf(positionals, known) : known;
  const overrides = overridesIn(values);
  if (Object.keys(overrides).length > 0 && positionals.length === 0)
    throw new UsageError(`Say which scenario --${Object.keys(overrides)[0]} is for.`);
  const runs = chosen
    .filter((one) => one.check !== undefined || !check || positionals.length > 0)
    .map(({ scenario, ...own }) => {
      const base = { ...scenario.defaults[size], ...(check && own.check) };
      return { scenario, options: optionsOf(scenario.name, base, overrides) };
    });
  if (runs.length === 0) throw new UsageError("There is no scenario to run.");
  return { action: "run", size, check, publish, runs };
};

const parse = (given: readonly string[], known: readonly KnownScenario[]) => {
  const flags = known.flatMap(({ scenario }) => Object.keys(scenario.defaults.small).map(flagOf));
  const scenarioOptions = Object.fromEntries(flags.map((flag) => [flag, { type: "string" as const }]));
  try {
    return parseArgs({
      args: [...given],
      options: { ...scenarioOptions, ...fixedOptions },
      allowPositionals: true,
    });
  } catch (error) {
    const { code, message } = error as { code?: string; message: string };
    if (code !== "ERR_PARSE_ARGS_UNKNOWN_OPTION") throw new UsageError(message);
    const named = given.find((word) => word.startsWith("-") && message.includes(`'${word.split("=")[0]}'`));
    throw new UsageError(
      `There is no option ${named ?? "like that"}. Options: ${listOf([...Object.keys(fixedOptions), ...flags].map((flag) => `--${flag}`))}.`,
    );
  }
};

const listOf = (words: readonly string[]): string => [...new Set(words)].join(", ") || "none";

const sizeIn = (size: string | boolean | undefined, publish: boolean, check: boolean): Size => {
  if (size !== undefined && size !== "small" && size !== "full")
    throw new UsageError(`There is no size ${size}. Sizes: small, full.`);
  if (check && size === "full")
    throw new UsageError("--check has sizes of its own, that end within a minute or so.");
  if (check && publish) throw new UsageError("What is published is not cut down for a check.");
  return size ?? (publish ? "full" : "small");
};

const chosenOf = (names: readonly string[], known: readonly KnownScenario[]): readonly KnownScenario[] => {
  const unknown = names.filter((name) => !known.some(({ scenario }) => scenario.name === name));
  if (unknown.length > 0)
    throw new UsageError(
      `There is no scenario ${unknown.join(", ")}. Scenarios: ${listOf(known.map(({ scenario }) => scenario.name))}.`,
    );
  return known.filter(({ scenario }) => names.includes(scenario.name));
};

type Values = Readonly<Record<string, string | boolean | undefined>>;

/** The values of scenario options, by flag. */
const overridesIn = (values: Values): Readonly<Record<string, number>> =>
  Object.fromEntries(
    Object.entries(values)
      .filter(([flag]) => !(flag in fixedOptions))
      .map(([flag, text]) => [flag, numberIn(flag, String(text))]),
  );

const numberIn = (flag: string, text: string): number => {
  const value = Number(text.replace(/(?<=\d)[_,](?=\d{3})/g, ""));
  if (text.trim() === "" || !Number.isFinite(value) || value < 0)
    throw new UsageError(`--${flag} is a number, such as 1000 or 1_000, not "${text}".`);
  return value;
};

const optionsOf = (
  name: string,
  options: Readonly<Record<string, number>>,
  overrides: Readonly<Record<string, number>>,
): Readonly<Record<string, number>> => {
  const flags = Object.keys(options).map(flagOf);
  const foreign = Object.keys(overrides).filter((flag) => !flags.includes(flag));
  if (foreign.length > 0)
    throw new UsageError(
      `${name} has no option ${foreign.map((flag) => `--${flag}`).join(", ")}. Its options: ${listOf(flags.map((flag) => `--${flag}`))}.`,
    );
  return Object.fromEntries(
    Object.entries(options).map(([option, value]) => [option, overrides[flagOf(option)] ?? value]),
  );
};
