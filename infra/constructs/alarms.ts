import { Duration } from "aws-cdk-lib";
import {
  Alarm,
  ComparisonOperator,
  type IMetric,
  MathExpression,
  Stats,
  TreatMissingData,
} from "aws-cdk-lib/aws-cloudwatch";
import { SnsAction } from "aws-cdk-lib/aws-cloudwatch-actions";
import type { Function as LambdaFunction } from "aws-cdk-lib/aws-lambda";
import type { ITopic } from "aws-cdk-lib/aws-sns";
import type { Queue } from "aws-cdk-lib/aws-sqs";
import { Construct } from "constructs";
import type { QueueName } from "../../shared/contract/route.ts";
import type { StageSettings } from "../stages.ts";
import type { AllocationCounter } from "./allocation-counter.ts";
import type { CodeTable } from "./code-table.ts";
import type { EventBus } from "./event-bus.ts";
import type { HttpApi } from "./http-api.ts";
import type { QueuedWork } from "./queued-work.ts";
import {
  allocationRoute,
  defaultCodePercent,
  fiveMinutes,
  ofAllocations,
  ownMetrics,
  sumOf,
} from "./watched-metrics.ts";

/** The parts of the stack that are watched. */
export interface Watched {
  readonly settings: StageSettings;
  readonly api: HttpApi;
  readonly table: CodeTable;
  readonly works: Readonly<Record<QueueName, QueuedWork>>;
  readonly counter: AllocationCounter;
}

export interface AlarmsProps extends Watched {
  /** Its topic, if there is one, is told of alarms; else they are seen in CloudWatch alone. */
  readonly events: EventBus;
}

interface Rule {
  /** What has happened when it rings, in a sentence. */
  readonly says: string;
  /** The heading in docs/operations.md, as GitHub links it. */
  readonly runbook: string;
  readonly metric: IMetric;
  /** @default above */
  readonly when?: "above" | "below";
  readonly threshold: number;
  /** Of so many periods as `within` so many must be over the threshold. @default 1 */
  readonly periods?: number;
  /** @default `periods` */
  readonly within?: number;
}

/** What wakes somebody up; each says where in docs/operations.md it is explained. A silent metric is a good one. */
export class Alarms extends Construct {
  /** In the order of the runbook. */
  readonly all: Alarm[] = [];
  private readonly topic: ITopic | undefined;

  constructor(scope: Construct, id: string, { events, ...watched }: AlarmsProps) {
    super(scope, id);
    this.topic = events.topic;
    this.watchPools(watched);
    this.watchApi(watched);
    this.watchJobs(watched);
    this.watchCounter(watched);
    this.watchTable(watched);
    if (events.deadLetters !== undefined)
      this.watchDeadLetters(
        "NotificationDeadLetters",
        events.deadLetters,
        "An event or an alarm did not reach those who are to be notified.",
        "dead-letters-of-notifications",
      );
  }

  private watchPools({ settings }: Watched): void {
    const own = ownMetrics(settings);
    const { poolLowPercent, defaultCodePercent: mostDefaults } = settings.alarms;
    this.add("PoolLow", {
      says: `A pool that is in use has less than ${poolLowPercent} % of its codes left.`,
      runbook: "a-pool-is-low",
      // Published when a pool's counts change: a quarter of an hour after its last customer the alarm is silent.
      metric: own("PoolAvailablePercent", {}, { statistic: Stats.MINIMUM }),
      when: "below",
      threshold: poolLowPercent,
      within: 3,
    });
    this.add("DefaultCodes", {
      says: `More than ${mostDefaults} % of customers get a default code: a pool is dry.`,
      runbook: "default-codes-are-given",
      metric: defaultCodePercent(settings),
      threshold: mostDefaults,
      periods: 2,
      within: 3,
    });
  }

  private watchApi({ settings, api }: Watched): void {
    const own = ownMetrics(settings);
    const { apiFaultPercent, allocationP99Ms } = settings.alarms;
    const stage = api.api.deploymentStage;
    const summed = { statistic: Stats.SUM, period: fiveMinutes };
    this.add("ApiFaults", {
      says: `More than ${apiFaultPercent} % of the API's answers are its own fault (5xx).`,
      runbook: "the-api-answers-with-faults",
      metric: new MathExpression({
        // One fault among ten calls at night is no percentage.
        expression: "IF(faults >= 5, 100 * faults / requests, 0)",
        usingMetrics: { faults: stage.metricServerError(summed), requests: stage.metricCount(summed) },
        period: fiveMinutes,
      }),
      threshold: apiFaultPercent,
      periods: 2,
      within: 3,
    });
    this.add("SlowAllocations", {
      says: `One allocation in a hundred takes more than ${allocationP99Ms} ms.`,
      runbook: "allocations-are-slow",
      metric: own(
        "duration",
        { route: allocationRoute, outcome: "success" },
        { statistic: Stats.percentile(99) },
      ),
      threshold: allocationP99Ms,
      periods: 3,
    });
    const door = { one: "allocateCode", batch: "allocateCodes", authorizer: "authorizeRequest" } as const;
    this.add("FunctionsThrottled", {
      says: "Lambda refuses to run functions that callers wait for.",
      runbook: "lambda-refuses-to-run",
      metric: sumOf(
        Object.fromEntries(
          Object.entries(door).map(([key, name]) => [key, api.functionOf(name).metricThrottles(summed)]),
        ),
      ),
      // Any: it is a call that was refused, and the account's limit that was met.
      threshold: 0,
      periods: 2,
      within: 3,
    });
  }

  private watchJobs({ settings, works }: Watched): void {
    const own = ownMetrics(settings);
    const { queueAgeMinutes } = settings.alarms;
    for (const [name, { queue, deadLetters, function: worker }] of Object.entries(works)) {
      const part = name.split("-").map(capitalized).join("");
      this.watchDeadLetters(
        `${part}DeadLetters`,
        deadLetters,
        `A message of the queue "${name}" was given up.`,
        "dead-letters-of-a-queue",
      );
      this.add(`${part}Waiting`, {
        says: `A message of the queue "${name}" has waited for more than ${queueAgeMinutes} minutes.`,
        runbook: "a-queue-is-behind",
        metric: queue.metricApproximateAgeOfOldestMessage({
          statistic: Stats.MAXIMUM,
          period: fiveMinutes,
        }),
        threshold: queueAgeMinutes * 60,
      });
      this.watchEnded(`${part}Ended`, worker, `Lambda ended a run of the queue "${name}": time, or memory.`);
    }
    this.add("JobsFail", {
      says: "Jobs broke off more than once within an hour.",
      runbook: "jobs-fail",
      metric: own("JobFailed", {}, { statistic: Stats.SUM, period: Duration.hours(1) }),
      // One is a hiccup: its message comes again after 16 minutes.
      threshold: 1,
    });
    this.add("UnclaimedObjects", {
      says: "A file was dropped that belongs to no promocode.",
      runbook: "a-file-that-nobody-claims",
      metric: own("UnclaimedObjects", {}, { statistic: Stats.SUM }),
      threshold: 0,
    });
  }

  private watchCounter({ settings, counter }: Watched): void {
    const { countsLateMinutes } = settings.alarms;
    this.watchDeadLetters(
      "CounterDeadLetters",
      counter.deadLetters,
      "Changes of the table were not counted and are given up.",
      "dead-letters-of-the-counter",
    );
    this.add("CountsLate", {
      says: `Counts of pools and files are more than ${countsLateMinutes} minutes late.`,
      runbook: "counts-are-late",
      metric: counter.function.metric("IteratorAge", { statistic: Stats.MAXIMUM, period: fiveMinutes }),
      threshold: countsLateMinutes * 60_000,
    });
    this.watchEnded("CounterEnded", counter.function, "The counter fails, and tries again.");
  }

  private watchTable({ settings, table }: Watched): void {
    const { throttledRequests } = settings.alarms;
    this.add("TableThrottles", {
      says: `DynamoDB refused more than ${throttledRequests} requests of the kinds that an allocation sends.`,
      runbook: "dynamodb-throttles",
      // Without BatchWriteItem, which a load sends: it goes on until it is refused, that is how it finds its speed.
      metric: ofAllocations(table.table, "ThrottledRequests"),
      threshold: throttledRequests,
      periods: 3,
    });
    this.add("TableFails", {
      says: "DynamoDB answers with errors of its own.",
      runbook: "dynamodb-fails",
      metric: ofAllocations(table.table, "SystemErrors"),
      // A few are sent again by the SDK and felt by nobody.
      threshold: 10,
      periods: 2,
      within: 3,
    });
  }

  private watchDeadLetters(id: string, queue: Queue, says: string, runbook: string): void {
    this.add(id, {
      says,
      runbook,
      metric: queue.metricApproximateNumberOfMessagesVisible({
        statistic: Stats.MAXIMUM,
        period: fiveMinutes,
      }),
      threshold: 0,
    });
  }

  /** Our handlers tell every error themselves, so what Lambda counts is what it ended: out of time, or of memory. */
  private watchEnded(id: string, fn: LambdaFunction, says: string): void {
    this.add(id, {
      says,
      runbook: "lambda-ended-a-run",
      metric: fn.metricErrors({ statistic: Stats.SUM, period: fiveMinutes }),
      threshold: 0,
    });
  }

  private add(
    id: string,
    { says, runbook, metric, when = "above", threshold, periods = 1, within = periods }: Rule,
  ): void {
    const alarm = new Alarm(this, id, {
      alarmDescription: `${says} What to do: docs/operations.md#${runbook}`,
      metric,
      threshold,
      comparisonOperator:
        when === "above" ? ComparisonOperator.GREATER_THAN_THRESHOLD : ComparisonOperator.LESS_THAN_THRESHOLD,
      datapointsToAlarm: periods,
      evaluationPeriods: within,
      // None of these is published while nothing happens, and nothing is not alarming.
      treatMissingData: TreatMissingData.NOT_BREACHING,
    });
    if (this.topic !== undefined) {
      const action = new SnsAction(this.topic);
      alarm.addAlarmAction(action);
      alarm.addOkAction(action);
    }
    this.all.push(alarm);
  }
}

const capitalized = (word: string): string => word.charAt(0).toUpperCase() + word.slice(1);
