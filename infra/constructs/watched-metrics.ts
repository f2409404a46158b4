import { Duration } from "aws-cdk-lib";
import { type IMetric, MathExpression, Metric, type MetricOptions, Stats } from "aws-cdk-lib/aws-cloudwatch";
import type { Table } from "aws-cdk-lib/aws-dynamodb";
import { routes } from "../../shared/contract/routes.ts";
import {
  type DimensionOf,
  type MetricName,
  metricNamespace,
  serviceOf,
} from "../../shared/operations/metrics.ts";
import type { StageSettings } from "../stages.ts";

/** What alarms and the dashboard count by: long enough to be calm, short enough to be told in time. */
export const fiveMinutes = Duration.minutes(5);

/** Reads metrics of the list in shared/operations/metrics.ts, with exactly the dimensions that they are published by. */
export const ownMetrics =
  ({ name: stage }: Pick<StageSettings, "name">) =>
  <Name extends MetricName>(
    name: Name,
    dimensions: Readonly<Record<DimensionOf<Name>, string>>,
    options: Omit<MetricOptions, "dimensionsMap"> & { readonly statistic: string },
  ): Metric =>
    new Metric({
      namespace: metricNamespace,
      metricName: name,
      dimensionsMap: { service: serviceOf(stage), ...dimensions },
      period: fiveMinutes,
      ...options,
    });

/**
 * Adds up metrics of which some are silent. With plain plus signs, as the CDK's own sums have, the sum is silent as
 * soon as one of them is, and most are: DynamoDB and Lambda count no throttles until there are some.
 */
export const sumOf = (metrics: Readonly<Record<string, IMetric>>, label?: string): MathExpression =>
  new MathExpression({
    expression: `SUM([${Object.keys(metrics)
      .map((id) => `FILL(${id}, 0)`)
      .join(", ")}])`,
    usingMetrics: metrics,
    period: fiveMinutes,
    ...(label !== undefined && { label }),
  });

/** What the table counts by operation, over the operations of an allocation. */
export const ofAllocations = (
  table: Table,
  metricName: "ThrottledRequests" | "SystemErrors",
  label?: string,
): MathExpression =>
  sumOf(
    Object.fromEntries(
      (routes.allocateCode.needs.table ?? []).map((operation) => [
        operation.charAt(0).toLowerCase() + operation.slice(1),
        new Metric({
          namespace: "AWS/DynamoDB",
          metricName,
          dimensionsMap: { TableName: table.tableName, Operation: operation },
          statistic: Stats.SUM,
          period: fiveMinutes,
        }),
      ]),
    ),
    label,
  );

/** Customers who get a default code, in percent of all who get a code. */
export const defaultCodePercent = (stage: Pick<StageSettings, "name">, label?: string): MathExpression => {
  const own = ownMetrics(stage);
  return new MathExpression({
    expression: "100 * defaults / SUM([defaults, FILL(allocated, 0)])",
    usingMetrics: {
      defaults: own("DefaultsGiven", {}, { statistic: Stats.SUM }),
      allocated: own("CodesAllocated", {}, { statistic: Stats.SUM }),
    },
    period: fiveMinutes,
    ...(label !== undefined && { label }),
  });
};

/** The route of a single allocation, as its metrics name it. */
export const allocationRoute = `${routes.allocateCode.method} ${routes.allocateCode.path}`;
