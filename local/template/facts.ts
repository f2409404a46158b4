import type { CorsRule } from "../s3/server.ts";

/** What the local service knows of the stack: the template's facts in its own words, intrinsics resolved. */
export interface StackFacts {
  readonly functions: readonly FunctionFacts[];
  readonly tables: readonly TableFacts[];
  readonly buckets: readonly BucketFacts[];
  readonly queues: readonly QueueFacts[];
  readonly eventBuses: readonly EventBusFacts[];
  readonly queueSources: readonly QueueSourceFacts[];
  readonly streamSources: readonly StreamSourceFacts[];
  readonly api: ApiFacts;
  /** The stack's outputs, value by name; those that only AWS knows are left out. */
  readonly outputs: Readonly<Record<string, string>>;
}

export interface FunctionFacts {
  readonly logicalId: string;
  readonly name: string;
  readonly arn: string;
  /** Absolute folder of the built bundle. Absent for code that is written into the template. */
  readonly codeDirectory?: string;
  /** `<file without ending>.<export>`, such as `handler.handler`. */
  readonly handler: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly timeoutSeconds: number;
  readonly memoryMb: number;
  readonly reservedConcurrency?: number;
}

export interface TableFacts {
  readonly logicalId: string;
  readonly name: string;
  readonly arn: string;
  /** Stands for the stream until the engine has made the real one. */
  readonly streamArn: string;
  readonly keySchema: readonly KeyElement[];
  readonly attributes: readonly { readonly AttributeName: string; readonly AttributeType: "S" | "N" | "B" }[];
  readonly globalIndexes: readonly IndexFacts[];
  readonly localIndexes: readonly IndexFacts[];
  readonly streamViewType?: StreamViewType;
  readonly ttlAttribute?: string;
}

export type StreamViewType = "KEYS_ONLY" | "NEW_IMAGE" | "OLD_IMAGE" | "NEW_AND_OLD_IMAGES";

export interface KeyElement {
  readonly AttributeName: string;
  readonly KeyType: "HASH" | "RANGE";
}

export interface IndexFacts {
  readonly IndexName: string;
  readonly KeySchema: readonly KeyElement[];
  readonly Projection: {
    readonly ProjectionType?: "ALL" | "KEYS_ONLY" | "INCLUDE" | undefined;
    readonly NonKeyAttributes?: readonly string[] | undefined;
  };
}

export interface BucketFacts {
  readonly logicalId: string;
  readonly name: string;
  readonly arn: string;
  readonly versioned: boolean;
  readonly cors: readonly CorsRule[];
  readonly notifications: readonly BucketNotification[];
}

export interface BucketNotification {
  /** Such as `s3:ObjectCreated:*`. */
  readonly event: string;
  readonly queueArn: string;
  readonly prefix: string;
  readonly suffix: string;
}

export interface QueueFacts {
  readonly logicalId: string;
  readonly name: string;
  readonly arn: string;
  readonly visibilityTimeoutSeconds: number;
  readonly retentionSeconds: number;
  readonly delaySeconds: number;
  readonly maxMessageBytes: number;
  readonly receiveWaitSeconds: number;
  readonly deadLetter?: { readonly queueArn: string; readonly maxReceiveCount: number };
}

export interface EventBusFacts {
  readonly logicalId: string;
  readonly name: string;
  readonly arn: string;
}

/** A pattern of Lambda's event filtering, parsed: nested objects whose leaves are lists of conditions. */
export type EventPattern = { readonly [key: string]: unknown };

export interface QueueSourceFacts {
  readonly logicalId: string;
  readonly functionArn: string;
  readonly queueArn: string;
  readonly batchSize: number;
  readonly batchingWindowSeconds: number;
  readonly reportsItemFailures: boolean;
  /** @default Lambda's own limit is higher; one machine needs no more than 10 at once. */
  readonly maximumConcurrency: number;
  readonly filters: readonly EventPattern[];
}

export interface StreamSourceFacts {
  readonly logicalId: string;
  readonly functionArn: string;
  readonly streamArn: string;
  readonly batchSize: number;
  readonly batchingWindowSeconds: number;
  /** 0: no tumbling window. */
  readonly tumblingWindowSeconds: number;
  readonly reportsItemFailures: boolean;
  readonly bisectsOnError: boolean;
  /** Retries after the first attempt; `Infinity` as long as the records live. */
  readonly maximumRetries: number;
  /** Infinity: no limit of ours. */
  readonly maximumRecordAgeSeconds: number;
  readonly onFailureQueueArn?: string;
  readonly filters: readonly EventPattern[];
}

export interface ApiFacts {
  readonly id: string;
  readonly stage: string;
  readonly methods: readonly MethodFacts[];
  readonly gatewayResponses: readonly GatewayResponseFacts[];
  readonly binaryMediaTypes: readonly string[];
  /** Requests per second for each key, when methods ask for a key of a usage plan. */
  readonly throttle?: { readonly rateLimit: number; readonly burstLimit: number };
}

export interface MethodFacts {
  /** Such as `/v1/promotions/{promotionId}`. */
  readonly resourcePath: string;
  /** An HTTP method or `ANY`. */
  readonly httpMethod: string;
  readonly functionArn: string;
  readonly timeoutMs: number;
  readonly authorizer?: AuthorizerFacts;
  readonly apiKeyRequired: boolean;
}

export interface AuthorizerFacts {
  readonly logicalId: string;
  readonly functionArn: string;
  /** Lower-case names of the headers that identify the caller; all must be there. */
  readonly identityHeaders: readonly string[];
  readonly resultTtlSeconds: number;
}

export interface GatewayResponseFacts {
  /** Such as `UNAUTHORIZED` or `DEFAULT_5XX`. */
  readonly responseType: string;
  readonly statusCode?: number;
  /** Value by header name: a constant in single quotes, or a mapping such as `context.requestId`. */
  readonly headers: Readonly<Record<string, string>>;
  /** Template by content type. */
  readonly templates: Readonly<Record<string, string>>;
}
