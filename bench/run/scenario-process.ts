import { scenarioEntries } from "../scenarios.ts";
import type { Assignment, ScenarioMessage } from "./run-scenario.ts";

const progressEveryMs = 100;

/** Ends only when the message is on its way. */
const send = (message: ScenarioMessage): Promise<void> =>
  new Promise((resolve) => process.send?.(message, undefined, undefined, () => resolve()));

// Whoever waits for the figures is gone: an engine that is still at work would live for nobody.
process.once("disconnect", () => process.exit(1));

const { name, options } = JSON.parse(process.argv[2] ?? "") as Assignment;
let lastProgressAt = 0;
const progress = (what: string, done?: number): void => {
  const now = performance.now();
  if (now - lastProgressAt < progressEveryMs) return;
  lastProgressAt = now;
  void send({ type: "progress", what, done });
};

try {
  const entry = scenarioEntries.find((candidate) => candidate.name === name);
  if (entry === undefined) throw new Error(`There is no scenario ${name}.`);
  const scenario = await entry.load();
  const started = performance.now();
  const outcome = await scenario.run({ options, progress });
  const seconds = (performance.now() - started) / 1_000;
  const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage();
  const usage = {
    seconds,
    cpuSeconds: (userCPUTime + systemCPUTime) / 1e6,
    peakMemoryMb: Math.round(maxRSS / 1024),
  };
  await send({ type: "done", outcome, usage });
  process.exit(0);
} catch (error) {
  await send({
    type: "failed",
    reason: error instanceof Error ? (error.stack ?? error.message) : String(error),
  });
  process.exit(1);
}
