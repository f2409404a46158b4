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
    check: { codes: 2_500, sample: 20, firstAvailableSample: 3 },
    load: async () => (await import("./scenarios/life.ts")).scenario,
  },
  {
    // Not in the check: what is exact in it, the life above holds as well, over more calls.
    name: "allocate",
    load: async () => (await import("./scenarios/allocate.ts")).scenario,
  },
  {
    name: "batch",
    check: {},
    load: async () => (await import("./scenarios/batch.ts")).scenario,
  },
  {
    name: "look-ups",
    check: { codes: 1_000, promocodes: 5, lookUps: 20 },
    load: async () => (await import("./scenarios/look-ups.ts")).scenario,
  },
  {
    name: "load",
    check: { rows: 30_000, baselineRows: 5_000 },
    load: async () => (await import("./scenarios/load.ts")).scenario,
  },
  {
    name: "export",
    check: { codes: 50_000, allocations: 5_000 },
    load: async () => (await import("./scenarios/export.ts")).scenario,
  },
  {
    name: "audience",
    check: { customers: 5_000, codes: 50_000, calls: 50 },
    load: async () => (await import("./scenarios/audience.ts")).scenario,
  },
  {
    name: "overhead",
    load: async () => (await import("./scenarios/overhead.ts")).scenario,
  },
  {
    name: "model",
    load: async () => (await import("./scenarios/model.ts")).scenario,
  },
];
