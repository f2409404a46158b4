import { DefaultReporter, type TestCase, type TestModule, type TestRunEndReason } from "vitest/node";

interface Row {
  readonly name: string;
  readonly injected: string;
  readonly checked: string;
  readonly verdict: "survived" | "FAILED" | "not run";
}

/** Vitest's own report, then a table of the faults, how many were survived, and `N passed, N failed` as the last line. */
export default class FaultReporter extends DefaultReporter {
  override onTestRunEnd(
    modules: readonly TestModule[],
    ...[errors, reason]: [Parameters<DefaultReporter["onTestRunEnd"]>[1], TestRunEndReason]
  ): void {
    super.onTestRunEnd(modules, errors, reason);
    const rows = modules.flatMap((module) => [...module.children.allTests()].map(rowOf));
    const of = (verdict: Row["verdict"]) => rows.filter((row) => row.verdict === verdict).length;
    // A file that could not be loaded registers no faults: it must not look like one that has none.
    const broken = modules.filter((module) => module.errors().length > 0).length + errors.length;
    this.log(tableOf(rows));
    this.log(`${of("survived")} of ${rows.length} faults survived`);
    this.log(`${of("survived")} passed, ${of("FAILED") + broken} failed`);
  }
}

const rowOf = (test: TestCase): Row => {
  const { fault } = test.meta();
  const { state } = test.result();
  return {
    name: test.fullName.replaceAll(" > ", ": "),
    injected: fault ? `${fault.injected} ×` : "never",
    checked: fault?.proved.join(", ") || "nothing",
    verdict: state === "passed" ? "survived" : state === "skipped" ? "not run" : "FAILED",
  };
};

const checkedWidth = 78;

const tableOf = (rows: readonly Row[]): string => {
  const names = Math.max(5, ...rows.map(({ name }) => name.length));
  const counts = Math.max(8, ...rows.map(({ injected }) => injected.length));
  const line = (name: string, injected: string, checked: string, verdict: string) =>
    `${name.padEnd(names)}  ${injected.padStart(counts)}  ${checked.padEnd(checkedWidth)}  ${verdict}`.trimEnd();
  const linesOf = ({ name, injected, checked, verdict }: Row) => {
    const [first = "", ...others] = wrapped(checked);
    return [line(name, injected, first, verdict), ...others.map((rest) => line("", "", rest, ""))];
  };
  return ["", line("fault", "injected", "checked", "verdict"), ...rows.flatMap(linesOf), ""].join("\n");
};

const wrapped = (text: string): readonly string[] => {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= checkedWidth)
      lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
};
