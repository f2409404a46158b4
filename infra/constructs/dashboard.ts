import {
  AlarmStatusWidget,
  Dashboard as CloudWatchDashboard,
  GraphWidget,
  type IMetric,
  type IWidget,
  LogQueryVisualizationType,
  LogQueryWidget,
  PeriodOverride,
  Stats,
  TextWidget,
} from "aws-cdk-lib/aws-cloudwatch";
import { Construct } from "constructs";
import type { Alarms, Watched } from "./alarms.ts";
import {
  allocationRoute,
  defaultCodePercent,
  fiveMinutes,
  ofAllocations,
  ownMetrics,
} from "./watched-metrics.ts";

export interface DashboardProps extends Watched {
  readonly alarms: Alarms;
}

/** CloudWatch's grid is 24 wide. */
const half = 12;
const full = 24;
const height = 6;

const summed = { statistic: Stats.SUM, period: fiveMinutes };
const highest = { statistic: Stats.MAXIMUM, period: fiveMinutes };

/** What is going on, on one page: from what customers feel at the top to what the machinery does at the bottom. */
export class Dashboard extends Construct {
  constructor(scope: Construct, id: string, props: DashboardProps) {
    super(scope, id);
    const dashboard = new CloudWatchDashboard(this, "Dashboard", { periodOverride: PeriodOverride.INHERIT });
    dashboard.addWidgets(
      new TextWidget({
        width: full,
        height: 1,
        markdown: `**Codewell ${props.settings.name}** · what each alarm means and what to do: docs/operations.md, "Alarms"`,
      }),
    );
    const rows = [
      [new AlarmStatusWidget({ title: "Alarms", width: full, height: 4, alarms: props.alarms.all })],
      poolRow(props),
      allocationRow(props),
      apiRow(props),
      jobRow(props),
      queueRow(props),
      tableRow(props),
      functionRow(props),
    ] satisfies IWidget[][];
    for (const row of rows) dashboard.addWidgets(...row);
  }
}

const graph = (title: string, left: IMetric[], right: IMetric[] = []): GraphWidget =>
  new GraphWidget({
    title,
    width: half,
    height,
    left,
    right,
    leftYAxis: { min: 0, showUnits: false },
    rightYAxis: { min: 0, showUnits: false },
  });

/**
 * The level of each pool comes from the lines that the counter writes: a metric for every promocode would cost $0.30
 * a month each, a look at this table reads the counter's log of the time that is shown ($0.005 a GB).
 */
const poolRow = ({ settings, counter }: DashboardProps): IWidget[] => {
  const own = ownMetrics(settings);
  return [
    new LogQueryWidget({
      title: "Pools that changed, the emptiest first",
      width: half,
      height,
      view: LogQueryVisualizationType.TABLE,
      logGroupNames: [counter.function.logGroup.logGroupName],
      queryLines: [
        "filter ispresent(PoolAvailablePercent)",
        "stats latest(PoolAvailable) as available, latest(PoolAvailablePercent) as percent by promocodeId",
        "sort percent asc",
        "limit 50",
      ],
    }),
    graph("The emptiest pool in use", [
      own("PoolAvailablePercent", {}, { statistic: Stats.MINIMUM, label: "codes left, percent" }),
    ]),
  ];
};

const allocationRow = ({ settings }: DashboardProps): IWidget[] => {
  const own = ownMetrics(settings);
  const allocated = own("CodesAllocated", {}, { statistic: Stats.SUM, label: "unique codes" });
  const defaults = own("DefaultsGiven", {}, { statistic: Stats.SUM, label: "default codes" });
  return [
    graph("Codes handed out, in five minutes", [allocated], [defaults]),
    graph("Customers who get a default code", [defaultCodePercent(settings, "percent")]),
  ];
};

const apiRow = ({ settings, api }: DashboardProps): IWidget[] => {
  const stage = api.api.deploymentStage;
  const measured = ownMetrics(settings);
  const took = (percent: number) =>
    measured(
      "duration",
      { route: allocationRoute, outcome: "success" },
      { statistic: Stats.percentile(percent), label: `allocation p${percent}` },
    );
  return [
    graph(
      "Requests, in five minutes",
      [stage.metricCount({ ...summed, label: "all" })],
      [
        stage.metricClientError({ ...summed, label: "4xx" }),
        stage.metricServerError({ ...summed, label: "5xx" }),
      ],
    ),
    graph("Milliseconds", [
      took(50),
      took(99),
      stage.metricLatency({ statistic: Stats.percentile(99), period: fiveMinutes, label: "all routes p99" }),
    ]),
  ];
};

const jobRow = ({ settings }: DashboardProps): IWidget[] => {
  const own = ownMetrics(settings);
  const longest = (name: "LoadDuration" | "ExportDuration" | "AudienceDuration", label: string) =>
    own(name, {}, { statistic: Stats.MAXIMUM, label });
  return [
    graph("Longest finished run, milliseconds", [
      longest("LoadDuration", "load"),
      longest("ExportDuration", "export"),
      longest("AudienceDuration", "audience"),
    ]),
    graph(
      "Codes loaded, rows exported",
      [
        own("CodesLoaded", {}, { statistic: Stats.SUM, label: "codes" }),
        own("RowsExported", {}, { statistic: Stats.SUM, label: "rows" }),
      ],
      [
        own("JobFailed", {}, { statistic: Stats.SUM, label: "failed runs" }),
        own("UnclaimedObjects", {}, { statistic: Stats.SUM, label: "unclaimed files" }),
      ],
    ),
  ];
};

const queueRow = ({ works, counter }: DashboardProps): IWidget[] => {
  const queues = Object.entries(works);
  return [
    graph(
      "Age of the oldest message, seconds",
      queues.map(([label, { queue }]) => queue.metricApproximateAgeOfOldestMessage({ ...highest, label })),
    ),
    graph("Dead letters", [
      ...queues.map(([label, { deadLetters }]) =>
        deadLetters.metricApproximateNumberOfMessagesVisible({ ...highest, label }),
      ),
      counter.deadLetters.metricApproximateNumberOfMessagesVisible({ ...highest, label: "counter" }),
    ]),
  ];
};

const tableRow = ({ table: { table } }: DashboardProps): IWidget[] => {
  return [
    graph(
      "Units of the table, in five minutes",
      [
        table.metricConsumedWriteCapacityUnits({ ...summed, label: "write" }),
        table.metricConsumedReadCapacityUnits({ ...summed, label: "read" }),
      ],
      [ofAllocations(table, "SystemErrors", "DynamoDB's errors")],
    ),
    graph("What DynamoDB refused", [
      ofAllocations(table, "ThrottledRequests", "allocations' requests"),
      table.metric("WriteThrottleEvents", { ...summed, label: "all writes" }),
      table.metric("ReadThrottleEvents", { ...summed, label: "all reads" }),
      table.metricUserErrors({ ...summed, label: "wrong requests, whole account" }),
    ]),
  ];
};

const functionRow = ({ api, works, counter }: DashboardProps): IWidget[] => {
  const jobs = Object.entries(works);
  return [
    graph("Runs that Lambda refused or ended", [
      api.functionOf("allocateCode").metricThrottles({ ...summed, label: "allocation, refused" }),
      api.functionOf("authorizeRequest").metricThrottles({ ...summed, label: "authorizer, refused" }),
      ...jobs.map(([label, { function: fn }]) => fn.metricErrors({ ...summed, label: `${label}, ended` })),
    ]),
    graph(
      "How late the counts are, milliseconds",
      [counter.function.metric("IteratorAge", { ...highest, label: "counter" })],
      [counter.function.metricErrors({ ...summed, label: "its errors" })],
    ),
  ];
};
