import { RetentionDays } from "aws-cdk-lib/aws-logs";
import type { QueueName } from "../shared/contract/route.ts";

export const stageNames = ["local", "dev", "prod"] as const;
export type StageName = (typeof stageNames)[number];

/** What differs, or may differ, between the deployments of one company. */
export interface StageSettings {
  /** Name of the API's stage and the end of the stack's name. */
  readonly name: StageName;
  /**
   * Memory of a function in MB; Lambda gives CPU in proportion.
   * @default 1024
   */
  readonly memoryMb: number;
  /**
   * Memory in MB of the functions that work through a thousand customers in one call.
   * @default 1769, which is one whole CPU (docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html)
   */
  readonly bulkMemoryMb: number;
  /**
   * Units a second that the table serves from its first request on. It grows with its load by itself, to twice its
   * peak within 30 minutes; set this before a launch that cannot wait. It is paid once and cannot be lowered again.
   * @default what a new table starts with, 4,000 writes and 12,000 reads
   * (docs.aws.amazon.com/amazondynamodb/latest/developerguide/warm-throughput.html)
   */
  readonly warmThroughput?: { readonly readUnitsPerSecond: number; readonly writeUnitsPerSecond: number };
  /**
   * Requests per second that one API key may send, and how many at once on top.
   * @default 500 per second, 1,000 at once
   */
  readonly keyThrottle: Throttle;
  /**
   * The same for all keys together.
   * @default 5,000 per second, 5,000 at once: half and all of an account's default quota in a region
   */
  readonly apiThrottle: Throttle;
  /**
   * Most executions of a job at once, by queue; Lambda permits no fewer than 2.
   * @default 2 audiences, because one alone writes as fast as a new table takes it, 5 loads, 2 erasures, 5 exports,
   * 2 withdrawals
   */
  readonly jobConcurrency: Readonly<Record<QueueName, number>>;
  /**
   * Seconds after which every call and run of a job has ended that was under way: so long an erasure waits before it
   * looks again.
   * @default 960, Lambda's longest run and a minute
   */
  readonly callsEndWithinSeconds: number;
  /**
   * How long the logs of functions and of the API are kept.
   * @default 90 days
   */
  readonly logRetention: RetentionDays;
  /**
   * Least important log level that is written.
   * @default INFO
   */
  readonly logLevel: "DEBUG" | "INFO" | "WARN" | "ERROR";
  /**
   * Web origins whose pages may send a presigned upload. The signature is the permission, so any origin is safe.
   * @default any
   */
  readonly uploadOrigins: readonly string[];
  /**
   * Makes a topic that carries events and alarms to people, and subscribes these addresses; each has to confirm once.
   * @default no topic
   */
  readonly notify?: { readonly emails: readonly string[] };
  /** When alarms ring; docs/operations.md says of each what it means. */
  readonly alarms: AlarmThresholds;
  /**
   * AWS WAF in front of the API: Amazon's common rules, and a limit of requests from one address within five minutes.
   * One key may send 150,000 in that time, and servers behind one gateway share an address. It costs $7 a month and
   * $0.60 for a million requests. Without it calls that no key comes with reach the authorizer, no further.
   * @default none
   */
  readonly firewall?: { readonly requestsPerAddress: number };
}

/** Above, or for the pool's level below, each of these an alarm rings. */
export interface AlarmThresholds {
  /**
   * Free codes of the emptiest pool that is in use, in percent of all its codes.
   * @default 10: at the rate that emptied nine tenths there is still time to order codes
   */
  readonly poolLowPercent: number;
  /**
   * Customers who got a default code, in percent of all who got one.
   * @default 1: fewer are those who came in the seconds before a refill
   */
  readonly defaultCodePercent: number;
  /**
   * Answers of the API with a status of 500 and above, in percent of all.
   * @default 1
   */
  readonly apiFaultPercent: number;
  /**
   * What the slowest hundredth of allocations takes, in milliseconds, cold starts left out.
   * @default 1,000: a hundred times the usual, and still less than a caller's own time limit
   */
  readonly allocationP99Ms: number;
  /**
   * Age of the oldest message of a job's queue, in minutes.
   * @default 60: a message that fails comes back every 16 minutes, so this is no hiccup any more
   */
  readonly queueAgeMinutes: number;
  /**
   * How far counts may be behind, in minutes.
   * @default 10: they are a second or two late, and a restart of the counter takes no more than a minute
   */
  readonly countsLateMinutes: number;
  /**
   * Requests within five minutes that DynamoDB refused, of those that an allocation sends.
   * @default 1,000: fewer are sent again by the SDK and felt by nobody
   */
  readonly throttledRequests: number;
}

/** Steady requests per second, and the size of the token bucket. */
export interface Throttle {
  readonly rateLimit: number;
  readonly burstLimit: number;
}

const defaults: Omit<StageSettings, "name"> = {
  memoryMb: 1024,
  bulkMemoryMb: 1769,
  keyThrottle: { rateLimit: 500, burstLimit: 1000 },
  apiThrottle: { rateLimit: 5000, burstLimit: 5000 },
  jobConcurrency: { audiences: 2, "code-files": 5, erasures: 2, exports: 5, withdrawals: 2 },
  callsEndWithinSeconds: 960,
  logRetention: RetentionDays.THREE_MONTHS,
  logLevel: "INFO",
  uploadOrigins: ["*"],
  alarms: {
    poolLowPercent: 10,
    defaultCodePercent: 1,
    apiFaultPercent: 1,
    allocationP99Ms: 1000,
    queueAgeMinutes: 60,
    countsLateMinutes: 10,
    throttledRequests: 1000,
  },
};

/** State is retained and protected in every stage: a setting that loosens it would one day be set in the wrong one. */
const overrides: Readonly<Record<StageName, Partial<Omit<StageSettings, "name">>>> = {
  // One developer, one key, and load tests over loopback: the limit is there, but high.
  local: {
    keyThrottle: { rateLimit: 10_000, burstLimit: 20_000 },
    apiThrottle: { rateLimit: 10_000, burstLimit: 20_000 },
    // A call takes milliseconds here, and nobody wants to wait a quarter of an hour to see how it works.
    callsEndWithinSeconds: 5,
  },
  dev: { logRetention: RetentionDays.TWO_WEEKS, logLevel: "DEBUG" },
  prod: {},
};

/** The settings of a stage. Throws a sentence that lists the stages when there is none of that name. */
export const stageSettings = (name: string): StageSettings => {
  const known = stageNames.find((stage) => stage === name);
  if (known === undefined)
    throw new Error(`There is no stage "${name}". Stages are ${stageNames.join(", ")}: see infra/stages.ts.`);
  return { name: known, ...defaults, ...overrides[known] };
};

/** The stack's name, which `cdk-outputs.json` files its outputs under. */
export const stackName = (stage: StageName): string => `Codewell-${stage}`;
