import type { Scenario } from "./scenario.ts";

/** A scenario in the list, loaded only by who needs it: its figures of memory are to be its own. */
export interface ScenarioEntry {
  readonly name: string;
  /**
   * What `--check` runs it with, in place of its small options; without it, `--check` leaves it out. For scenarios that
   * hold exact figures against targets, no larger than it takes to hold them.
   */
  readonly check?: Readonly<Record<string, number>>;
  load(): Promise<Scenario>;
}

/** Every scenario, in the order in which it runs and is reported. */
export const scenarioEntries: readonly ScenarioEntry[] = [
  {
    name: "life",
    check: {},
    load: async () => (await import("./scenarios/life.ts")).scenario,
  },
  {
    name: "allocate",
    check: {},
    load: async () => (await import("./scenarios/allocate.ts")).scenario,
  },
  {
    name: "batch",
    check: {},
    load: async () => (await import("./scenarios/batch.ts")).scenario,
  },
  {
    name: "look-ups",
    check: {},
    load: async () => (await import("./scenarios/look-ups.ts")).scenario,
  },
  {
    name: "load",
    check: {},
    load: async () => (await import("./scenarios/load.ts")).scenario,
  },
  {
    name: "export",
    check: {},
    load: async () => (await import("./scenarios/export.ts")).scenario,
  },
  {
    name: "audience",
    check: {},
    load: async () => (await import("./scenarios/audience.ts")).scenario,
  },
  {
    name: "overhead",
    load: async () => (await import("./scenarios/overhead.ts")).scenario,
  },
];
