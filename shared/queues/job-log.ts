import { loggable, logger } from "../http/logger.ts";
import type { MetricName } from "../operations/metrics.ts";
import { publishMetrics } from "../operations/publish-metrics.ts";

/** Ids and counts of a piece of work. Never a customer's id, never a code. */
type Facts = Readonly<Record<string, string | number | null | undefined>>;

/** What became of a piece of work, in a word of the job's own, and what is worth knowing of it. */
export type JobReport = Facts & { readonly outcome: string };

/** Does a piece of a job's work and tells of it in one line: its ids, what is reported, milliseconds. */
export type Track = (ids: Facts, work: () => Promise<JobReport>) => Promise<void>;

type JobMetric = Exclude<MetricName, "duration">;

interface Measured {
  /** The outcome of a run that has finished the work; of others nothing is measured. */
  readonly finishedAs: string;
  readonly duration: JobMetric;
  /** Metrics by the count of the report that they are. */
  readonly counts: Readonly<Record<string, JobMetric>>;
}

const measuredByJob = {
  "load-code-file": {
    finishedAs: "loaded",
    duration: "LoadDuration",
    counts: { codes: "CodesLoaded" },
  },
  "build-export": {
    finishedAs: "succeeded",
    duration: "ExportDuration",
    counts: { rows: "RowsExported" },
  },
  "allocate-audience": { finishedAs: "done", duration: "AudienceDuration", counts: {} },
  "run-erasure": null,
  "seal-code-file": null,
} as const satisfies Record<string, Measured | null>;

export type JobName = keyof typeof measuredByJob;

/**
 * One line for each piece of work that a message asks for, whatever becomes of it, and the job's metrics; what
 * http/outcome-log.ts is to a call. `message` says in each line which delivery it was.
 */
export const jobLog = (
  job: JobName,
  message: { readonly messageId: string; readonly receives: number },
): { readonly track: Track; readonly failed: (error: unknown) => void } => {
  let startedAt = Date.now();
  let about: Facts = {};
  const line = () => ({ job, ...message, ...about, durationMs: Date.now() - startedAt });
  return {
    track: async (ids, work) => {
      startedAt = Date.now();
      about = ids;
      const report = await work();
      const told = { ...line(), ...report };
      logger.info("worked", told);
      measure(job, told);
    },
    failed: (error) => {
      const reason = error instanceof Error ? loggable(error) : { message: "not an Error was thrown" };
      logger.error("failed", { ...line(), outcome: "failed", error: reason });
      publishMetrics({ JobFailed: 1 }, { dimensions: {} });
    },
  };
};

const measure = (job: JobName, told: JobReport & { readonly durationMs: number }): void => {
  const measured: Measured | null = measuredByJob[job];
  if (measured === null || told.outcome !== measured.finishedAs) return;
  const values: [JobMetric, number][] = [
    [measured.duration, told.durationMs],
    ...Object.entries(measured.counts).map(([count, metric]): [JobMetric, number] => [
      metric,
      Number(told[count]),
    ]),
  ];
  publishMetrics(Object.fromEntries(values) as Record<JobMetric, number>, { dimensions: {} });
};
