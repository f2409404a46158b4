import { it } from "vitest";

/** Something that does a fault, and counts how often it has done it. */
export interface Injection {
  readonly injected: number;
  /** No more of it. */
  stop(): void;
}

/** An injection that is done by hand, such as a kill: `fire` does it and counts it. */
export const injectionByHand = <Arguments extends readonly unknown[], Result>(
  fault: (...input: Arguments) => Result,
): Injection & { fire(...input: Arguments): Result } => {
  let injected = 0;
  return {
    get injected() {
      return injected;
    },
    fire: (...input) => {
      injected += 1;
      return fault(...input);
    },
    stop: () => {},
  };
};

/** What a fault's story is given to report with. */
export interface FaultReport {
  /** Adds what this injector does to the fault's count; answers the injector. */
  count<Counted extends Injection>(injection: Counted): Counted;
  /** Names something that was checked and held, for the table. */
  proved(what: string): void;
}

/** What the reporter learns of a fault, by way of the test's `meta`. */
export interface FaultResult {
  readonly injected: number;
  readonly proved: readonly string[];
}

declare module "vitest" {
  interface TaskMeta {
    fault?: FaultResult;
  }
}

/**
 * Registers one fault: a test whose story injects it, as often as it likes, and then proves from the outside that
 * nothing came of it. A fault that never happened, or after which nothing was proved, has not been survived: it fails.
 */
export const fault = (name: string, story: (report: FaultReport) => Promise<void>): void => {
  it(name, async ({ task }) => {
    const injections = new Set<Injection>();
    const proved: string[] = [];
    const injected = () => [...injections].reduce((sum, injection) => sum + injection.injected, 0);
    try {
      await story({
        count: (injection) => {
          injections.add(injection);
          return injection;
        },
        proved: (what) => {
          if (!proved.includes(what)) proved.push(what);
        },
      });
    } finally {
      for (const injection of injections) injection.stop();
      task.meta.fault = { injected: injected(), proved };
    }
    for (const injection of injections)
      if (injection.injected === 0)
        throw new Error(`An injector of "${name}" never fired: no such fault was survived.`);
    if (injected() === 0) throw new Error(`"${name}" counted no injector: nothing was survived.`);
    if (proved.length === 0) throw new Error(`"${name}" proved nothing.`);
  });
};
