import { Metrics } from "@aws-lambda-powertools/metrics";
import { type DimensionOf, type MetricName, metricNamespace, metrics } from "./metrics.ts";

// The dimension `service` comes from POWERTOOLS_SERVICE_NAME, which the stack sets.
const publisher = new Metrics({ namespace: metricNamespace });

/**
 * Writes one line in CloudWatch's embedded metric format: these values now, all of the same dimensions. `metadata`
 * stands in the line alone, where Logs Insights finds it; an id belongs there. Never a customer's id, never a code.
 */
export const publishMetrics = <Name extends MetricName>(
  values: Readonly<Record<Name, number>>,
  {
    dimensions,
    metadata = {},
  }: {
    readonly dimensions: Readonly<Record<DimensionOf<Name>, string>>;
    readonly metadata?: Readonly<Record<string, string>>;
  },
): void => {
  for (const [name, value] of Object.entries<string>(dimensions)) publisher.addDimension(name, value);
  for (const [key, value] of Object.entries(metadata)) publisher.addMetadata(key, value);
  for (const name of Object.keys(values) as Name[])
    publisher.addMetric(name, metrics[name].unit, values[name]);
  publisher.publishStoredMetrics();
};
