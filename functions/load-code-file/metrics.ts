import { Metrics, MetricUnit } from "@aws-lambda-powertools/metrics";

const metrics = new Metrics({ namespace: "Codewell", serviceName: "codewell" });

/** Counts an object that belongs to no promocode: somebody dropped codes where nobody will get them. */
export const countUnclaimedObject = (): void => {
  metrics.addMetric("UnclaimedObjects", MetricUnit.Count, 1);
  metrics.publishStoredMetrics();
};
