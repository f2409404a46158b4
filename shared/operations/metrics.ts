/** A number that CloudWatch keeps: what it counts in, and by what it is told apart. */
interface MetricDefinition {
  readonly unit: "Count" | "Milliseconds" | "Percent";
  /** Each combination of values is a metric of its own, at $0.30 a month: no ids. */
  readonly dimensions: readonly string[];
}

export const metricNamespace = "Codewell";

/** Value of the dimension `service`, which every metric carries besides its own: stages of one account are told apart. */
export const serviceOf = (stage: string): string => `codewell-${stage}`;

/**
 * Every metric of the service. The functions publish from this list, alarms and the dashboard read from it: a name
 * that is spelled in two ways would be an alarm that never rings.
 */
export const metrics = {
  /** An answer of the API, from when its function got the call. `outcome`: success, refusal (4xx) or fault (5xx). */
  duration: { unit: "Milliseconds", dimensions: ["route", "outcome"] },
  /** Allocations of unique codes, as the table's stream tells them. */
  CodesAllocated: { unit: "Count", dimensions: [] },
  /** Default codes that were given because a pool was dry. */
  DefaultsGiven: { unit: "Count", dimensions: [] },
  /** Free codes of a pool whose counts changed; which pool it is, its line says as `promocodeId`. */
  PoolAvailable: { unit: "Count", dimensions: [] },
  /** The same in percent of all codes of the pool. */
  PoolAvailablePercent: { unit: "Percent", dimensions: [] },
  /** Dropped files that belong to no promocode. */
  UnclaimedObjects: { unit: "Count", dimensions: [] },
  /** The run that put a code file into its pool. */
  LoadDuration: { unit: "Milliseconds", dimensions: [] },
  CodesLoaded: { unit: "Count", dimensions: [] },
  /** The run that completed an export. */
  ExportDuration: { unit: "Milliseconds", dimensions: [] },
  RowsExported: { unit: "Count", dimensions: [] },
  /** The run that completed an audience, or its preview. */
  AudienceDuration: { unit: "Milliseconds", dimensions: [] },
  /** Runs of a job that broke off with an error; their message comes again, or is a dead letter. */
  JobFailed: { unit: "Count", dimensions: [] },
} as const satisfies Record<string, MetricDefinition>;

export type MetricName = keyof typeof metrics;

export type DimensionOf<Name extends MetricName> = (typeof metrics)[Name]["dimensions"][number];
