import { FunctionError } from "../../local/functions/function-error.ts";
import type { FaultReport } from "./fault.ts";
import type { WireRequest } from "./fault-proxy.ts";
import type { JobProcess, JobWorld } from "./job-world.ts";
import { crashAfter, crashBefore } from "./wire-faults.ts";

export interface Killing {
  readonly on: "table" | "s3";
  /** The requests that it is about. */
  readonly matches: (request: WireRequest) => boolean;
  readonly count: FaultReport["count"];
}

/**
 * Kills a process before the first of these requests, the next one before the second, and so on until a run gets by
 * unharmed; then after each of them. `run` is given a process that will die, and whoever killed it last does not.
 */
export const killAtEvery = async (
  world: JobWorld,
  { on, matches, count }: Killing,
  run: (doomed: JobProcess) => Promise<unknown>,
): Promise<void> => {
  for (const crash of [crashBefore, crashAfter])
    for (let passed = 0; ; passed += 1) {
      const doomed = await world.aProcess();
      const kill = doomed[on].inject(crash, { matches, after: passed, times: 1 });
      await run(doomed);
      if (kill.injected === 0) break;
      count(kill);
    }
};

/** "died" when it did; what it answered when it did not. */
export const deathOf = async <Answer>(run: Promise<Answer>): Promise<Answer | "died"> => {
  try {
    return await run;
  } catch (error) {
    if (error instanceof FunctionError) return "died";
    throw error;
  }
};
