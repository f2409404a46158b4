import { DefaultReporter, type TestCase, type TestModule, type TestRunEndReason } from "vitest/node";

declare module "vitest" {
  interface TaskMeta {
    /** Of a test that fuzzes: how many cases it was to try, how many were answered well, and what was answered how often. */
    fuzz?: { readonly cases: number; answered: number; readonly answers: Record<string, number> };
  }
}

/** Vitest's own report, then a table of the groups, how many inputs were answered, and `N passed, N failed` at the end. */
export default class InputReporter extends DefaultReporter {
  override onTestRunEnd(
    modules: readonly TestModule[],
    ...[errors, reason]: [Parameters<DefaultReporter["onTestRunEnd"]>[1], TestRunEndReason]
  ): void {
    super.onTestRunEnd(modules, errors, reason);
    const tests = modules
      .flatMap((module) => [...module.children.allTests()])
      .filter((test) => test.result().state !== "skipped");
    const inputs = tests.filter((test) => test.meta().fuzz === undefined);
    const fuzzed = tests.flatMap((test) => test.meta().fuzz ?? []);
    const passed = tests.filter(hasPassed).length;
    // Of a file or group that could not begin no test has run: it must not look like one that has none.
    const begun = modules.flatMap((module) => [module, ...module.children.allSuites()]);
    const broken = begun.filter((each) => each.errors().length > 0).length + errors.length;

    this.log(tableOf(tests));
    if (fuzzed.length > 0)
      this.log(
        `${sum(fuzzed.map(({ answered }) => answered))} of ${sum(fuzzed.map(({ cases }) => cases))} fuzz cases answered as described`,
      );
    this.log(`${inputs.filter(hasPassed).length} of ${inputs.length} bad inputs answered`);
    this.log(`${passed} passed, ${tests.length - passed + broken} failed`);
  }
}

const hasPassed = (test: TestCase): boolean => test.result().state === "passed";
const sum = (numbers: readonly number[]): number => numbers.reduce((total, each) => total + each, 0);

/** A line per group; of a group that fuzzes, a line per test with the statuses that came. */
const tableOf = (tests: readonly TestCase[]): string => {
  const groupOf = (test: TestCase) => test.fullName.split(" > ")[0] ?? "";
  const rows = [...new Set(tests.map(groupOf))].flatMap((group) => {
    const members = tests.filter((test) => groupOf(test) === group);
    const fuzzing = members.filter((test) => test.meta().fuzz !== undefined);
    if (fuzzing.length === 0) return [{ name: group, ...counted(members), answers: "" }];
    return fuzzing.map((test) => {
      const { cases, answered, answers } = test.meta().fuzz!;
      const statuses = Object.entries(answers).map(([status, times]) => `${status} × ${times}`);
      return { name: `${group}: ${test.name}`, inputs: cases, answered, answers: statuses.join(", ") };
    });
  });
  const width = Math.max(5, ...rows.map(({ name }) => name.length));
  const line = (name: string, inputs: string, answered: string, answers: string) =>
    `${name.padEnd(width)}  ${inputs.padStart(6)}  ${answered.padStart(8)}  ${answers}`.trimEnd();
  return [
    "",
    line("group", "inputs", "answered", ""),
    ...rows.map((row) => line(row.name, String(row.inputs), String(row.answered), row.answers)),
    "",
  ].join("\n");
};

const counted = (members: readonly TestCase[]) => ({
  inputs: members.length,
  answered: members.filter(hasPassed).length,
});
