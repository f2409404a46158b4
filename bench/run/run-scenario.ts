import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Outcome } from "../scenario.ts";

/** What a scenario's process is told, as its only argument. */
export interface Assignment {
  readonly name: string;
  readonly options: Readonly<Record<string, number>>;
}

/** What a scenario's process tells: any number of progress messages, then how it ended. */
export type ScenarioMessage =
  | { readonly type: "progress"; readonly what: string; readonly done: number | undefined }
  | { readonly type: "done"; readonly outcome: Outcome; readonly usage: Usage }
  | { readonly type: "failed"; readonly reason: string };

/** What the scenario's process used, the engine not included. */
export interface Usage {
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly peakMemoryMb: number;
}

export interface FinishedScenario {
  readonly outcome: Outcome;
  readonly usage: Usage;
}

const processFile = fileURLToPath(new URL("./scenario-process.ts", import.meta.url));

/**
 * Runs a scenario in a process of its own, so that its peak memory, its caches and the endpoint that the SDK keeps are
 * its own. Throws when the scenario throws, dies, or answers something that cannot be reported.
 */
export const runScenario = (
  assignment: Assignment,
  onProgress: (what: string, done: number | undefined) => void,
  file = processFile,
): Promise<FinishedScenario> =>
  new Promise((resolve, reject) => {
    const child = fork(file, [JSON.stringify(assignment)], {
      execArgv: ["--import", import.meta.resolve("tsx")],
      // Keeps NaN and Infinity as they are.
      serialization: "advanced",
      // The report has standard output to itself.
      stdio: ["ignore", process.stderr, process.stderr, "ipc"],
      env: {
        ...process.env,
        LOG_LEVEL: "SILENT",
        POWERTOOLS_METRICS_DISABLED: "true",
      },
    });
    child.on("message", (message: ScenarioMessage) => {
      if (message.type === "progress") return onProgress(message.what, message.done);
      if (message.type === "failed") return reject(new Error(message.reason));
      const flaw = flawOf(message.outcome);
      if (flaw !== undefined) return reject(new Error(`${assignment.name} cannot be reported: ${flaw}.`));
      resolve({ outcome: message.outcome, usage: message.usage });
    });
    child.once("error", reject);
    // After an answer this changes nothing.
    child.once("exit", (code, signal) =>
      reject(new Error(`${assignment.name} ended without an answer (${signal ?? `exit code ${code}`}).`)),
    );
  });

/** Why an outcome cannot be told as the interface promises; undefined when it can. */
export const flawOf = ({ figures, tables }: Outcome): string | undefined => {
  const names = figures.map(({ name }) => name);
  const twice = names.find((name, at) => names.indexOf(name) < at);
  if (twice !== undefined) return `two figures are called "${twice}"`;
  const crooked = tables.find(({ columns, rows }) => rows.some((row) => row.length !== columns.length));
  if (crooked !== undefined)
    return `"${crooked.title}" has a row that is not as long as its ${crooked.columns.length} columns`;
  return undefined;
};
