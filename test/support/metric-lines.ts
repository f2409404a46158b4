import { vi } from "vitest";
import * as z from "zod";

/** A line in CloudWatch's embedded metric format, as much of it as CloudWatch reads. */
const metricLineSchema = z.looseObject({
  _aws: z.object({
    CloudWatchMetrics: z.tuple([
      z.object({
        Namespace: z.string(),
        Dimensions: z.tuple([z.array(z.string())]),
        Metrics: z.array(z.object({ Name: z.string(), Unit: z.string() })),
      }),
    ]),
  }),
});

export type MetricLine = z.output<typeof metricLineSchema>;

/**
 * What `work` writes to stdout in the embedded metric format. Import what publishes within `work`: modules are loaded
 * anew, with metrics on, which the tests' environment turns off.
 */
export const metricLinesOf = async (work: () => Promise<unknown>): Promise<readonly MetricLine[]> => {
  vi.stubEnv("POWERTOOLS_METRICS_DISABLED", "false");
  vi.stubEnv("POWERTOOLS_SERVICE_NAME", "codewell-test");
  vi.resetModules();
  const written: string[] = [];
  const stdout = vi.spyOn(process.stdout, "write").mockImplementation((chunk) => {
    written.push(String(chunk));
    return true;
  });
  try {
    await work();
  } finally {
    stdout.mockRestore();
    vi.unstubAllEnvs();
  }
  return written
    .join("")
    .split("\n")
    .filter((line) => line.includes('"_aws"'))
    .map((line) => metricLineSchema.parse(JSON.parse(line)));
};
