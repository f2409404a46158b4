import { Metrics, MetricUnit } from "@aws-lambda-powertools/metrics";

const metrics = new Metrics({ namespace: "Codewell", serviceName: "codewell" });

/** Counts an object that belongs to no promocode: somebody dropped a file where nobody will ever look at it. */
export const countUnclaimedObject = (): void => {
  metrics.addMetric("UnclaimedObjects", MetricUnit.Count, 1);
  metrics.publishStoredMetrics();
};
