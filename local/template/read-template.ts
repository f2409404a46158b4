import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import * as z from "zod";
import type {
  ApiFacts,
  AuthorizerFacts,
  BucketFacts,
  EventBusFacts,
  EventPattern,
  FunctionFacts,
  GatewayResponseFacts,
  KeyElement,
  MethodFacts,
  QueueFacts,
  QueueSourceFacts,
  StackFacts,
  StreamSourceFacts,
  TableFacts,
} from "./facts.ts";
import { intrinsics, type ResolveIntrinsics } from "./intrinsics.ts";

export interface ReadTemplateOptions {
  /** Folder that `cdk synth` wrote: exactly one `*.template.json` and the assets it names. */
  readonly directory: string;
  readonly region: string;
  /** Queue URLs begin with it, as in `http://127.0.0.1:4000`. */
  readonly queueEndpoint: string;
}

export const localAccountId = "000000000000";

/** Reads a synthesized stack; throws a sentence that names the resource when it holds something not imitated here. */
export function readTemplate(options: ReadTemplateOptions): StackFacts {
  const { file, template } = loadTemplate(options.directory);
  const resources = new Map(Object.entries(template.Resources));
  for (const [logicalId, { Type }] of resources)
    if (!(Type in readers) && !hasNoLocalEffect(Type))
      throw cannotImitate(logicalId, Type, "this type of resource");

  const names = physicalNames(resources, options.region, options.queueEndpoint);
  const resolve = intrinsics(names, {
    region: options.region,
    accountId: localAccountId,
    stackName: file.replace(/\.template\.json$/, ""),
  });
  const found: Found = {
    functions: [],
    tables: [],
    buckets: [],
    queues: [],
    eventBuses: [],
    sources: [],
    api: emptyApi(),
  };
  for (const [logicalId, resource] of resources)
    readers[resource.Type]?.(
      { logicalId, resource, names, resolve, assetDirectory: options.directory, resources },
      found,
    );
  return { ...linked(found), outputs: outputsOf(template.Outputs, resolve) };
}

const resourceSchema = z.object({
  Type: z.string(),
  Properties: z.record(z.string(), z.unknown()).default({}),
  Metadata: z.record(z.string(), z.unknown()).default({}),
});
type Resource = z.infer<typeof resourceSchema>;

const templateSchema = z.object({
  Resources: z.record(z.string(), resourceSchema),
  Outputs: z.record(z.string(), z.object({ Value: z.unknown() })).default({}),
});

function loadTemplate(directory: string) {
  const files = existsSync(directory)
    ? readdirSync(directory).filter((name) => name.endsWith(".template.json"))
    : [];
  const [file, ...others] = files;
  if (file === undefined) throw new Error(`No synthesized stack in ${directory}: run the synth first.`);
  if (others.length > 0)
    throw new Error(`The local service runs one stack, ${directory} holds ${files.length}.`);
  return { file, template: templateSchema.parse(JSON.parse(readFileSync(join(directory, file), "utf8"))) };
}

/** Rights, logs, alarms and deployment steps: nothing here depends on them. */
const prefixesWithoutLocalEffect = [
  "AWS::IAM::",
  "AWS::Logs::",
  "AWS::CloudWatch::",
  "AWS::KMS::",
  "AWS::SNS::",
  "AWS::WAFv2::",
  "AWS::CDK::",
  "AWS::Budgets::",
  "AWS::ApplicationInsights::",
  "AWS::ResourceGroups::",
];
const typesWithoutLocalEffect = new Set([
  "AWS::Lambda::Permission",
  "AWS::ApiGateway::Account",
  "AWS::ApiGateway::Deployment",
  "AWS::ApiGateway::ApiKey",
  "AWS::ApiGateway::UsagePlanKey",
  "AWS::S3::BucketPolicy",
  "AWS::SQS::QueuePolicy",
]);

function hasNoLocalEffect(type: string): boolean {
  return (
    typesWithoutLocalEffect.has(type) || prefixesWithoutLocalEffect.some((prefix) => type.startsWith(prefix))
  );
}

function cannotImitate(logicalId: string, type: string, what: string): Error {
  return new Error(
    `${logicalId} (${type}): the local service cannot imitate ${what}. local/README.md lists what it does.`,
  );
}

interface Reading {
  readonly logicalId: string;
  readonly resource: Resource;
  readonly names: PhysicalNames;
  readonly resolve: ResolveIntrinsics;
  readonly assetDirectory: string;
  readonly resources: ReadonlyMap<string, Resource>;
}

interface Found {
  functions: FunctionFacts[];
  tables: TableFacts[];
  buckets: BucketFacts[];
  queues: QueueFacts[];
  eventBuses: EventBusFacts[];
  sources: z.infer<typeof eventSourceSchema>[];
  api: ReturnType<typeof emptyApi>;
}

function emptyApi() {
  return {
    binaryMediaTypes: [] as string[],
    methods: [] as MethodFacts[],
    gatewayResponses: [] as GatewayResponseFacts[],
    throttle: undefined as ApiFacts["throttle"],
    stage: "local",
  };
}

/**
 * The properties of a resource, resolved and validated. A property that is neither in the schema nor in `ignored`
 * is refused: a stack that asks for behaviour which is silently missing here would be a trap.
 */
function properties<Shape extends z.ZodRawShape>(
  { logicalId, resource, resolve }: Reading,
  schema: z.ZodObject<Shape>,
  ignored: readonly string[],
): z.infer<z.ZodObject<Shape>> {
  const known = new Set(Object.keys(schema.shape));
  const wanted: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(resource.Properties)) {
    if (ignored.includes(name)) continue;
    if (!known.has(name)) throw cannotImitate(logicalId, resource.Type, name);
    try {
      wanted[name] = resolve(value);
    } catch (error) {
      throw new Error(`${logicalId} (${resource.Type}), ${name}: ${(error as Error).message}.`);
    }
  }
  const parsed = schema.safeParse(wanted);
  if (!parsed.success) throw new Error(`${logicalId} (${resource.Type}):\n${z.prettifyError(parsed.error)}`);
  return parsed.data;
}

const count = z.coerce.number().int().nonnegative();

const functionSchema = z.object({
  Code: z.record(z.string(), z.unknown()),
  Handler: z.string(),
  Environment: z.object({ Variables: z.record(z.string(), z.coerce.string()).default({}) }).optional(),
  Timeout: count.default(3),
  MemorySize: count.default(128),
  ReservedConcurrentExecutions: count.optional(),
  PackageType: z.literal("Zip").optional(),
});

function readFunction(reading: Reading, found: Found): void {
  const { logicalId, resource, names, assetDirectory } = reading;
  // The code is a bucket and a key to AWS; here it is the folder that the CDK noted down beside them.
  const code = { ...resource, Properties: { ...resource.Properties, Code: {} } };
  const facts = properties({ ...reading, resource: code }, functionSchema, [
    "Role",
    "Runtime",
    "Architectures",
    "Description",
    "FunctionName",
    "Tags",
    "LoggingConfig",
    "TracingConfig",
    "RecursiveLoop",
    "RuntimeManagementConfig",
    "DeadLetterConfig",
    "KmsKeyArn",
  ]);
  const asset = resource.Metadata["aws:asset:path"];
  found.functions.push({
    logicalId,
    name: names.ref(logicalId) ?? logicalId,
    arn: names.attribute(logicalId, "Arn") ?? "",
    ...(typeof asset === "string" ? { codeDirectory: join(assetDirectory, asset) } : {}),
    handler: facts.Handler,
    environment: facts.Environment?.Variables ?? {},
    timeoutSeconds: facts.Timeout,
    memoryMb: facts.MemorySize,
    ...(facts.ReservedConcurrentExecutions === undefined
      ? {}
      : { reservedConcurrency: facts.ReservedConcurrentExecutions }),
  });
}

const keySchema = z.array(z.object({ AttributeName: z.string(), KeyType: z.enum(["HASH", "RANGE"]) }));
const indexSchema = z.object({
  IndexName: z.string(),
  KeySchema: keySchema,
  Projection: z.object({
    ProjectionType: z.enum(["ALL", "KEYS_ONLY", "INCLUDE"]).optional(),
    NonKeyAttributes: z.array(z.string()).optional(),
  }),
});
const tableSchema = z.object({
  KeySchema: keySchema,
  AttributeDefinitions: z.array(
    z.object({ AttributeName: z.string(), AttributeType: z.enum(["S", "N", "B"]) }),
  ),
  GlobalSecondaryIndexes: z.array(indexSchema).default([]),
  LocalSecondaryIndexes: z.array(indexSchema).default([]),
  StreamSpecification: z
    .object({ StreamViewType: z.enum(["KEYS_ONLY", "NEW_IMAGE", "OLD_IMAGE", "NEW_AND_OLD_IMAGES"]) })
    .optional(),
  TimeToLiveSpecification: z
    .object({ AttributeName: z.string().optional(), Enabled: z.coerce.boolean() })
    .optional(),
  BillingMode: z.literal("PAY_PER_REQUEST", "only on-demand tables are imitated"),
});
const tablePropertiesWithoutEffect = [
  "TableName",
  "DeletionProtectionEnabled",
  "PointInTimeRecoverySpecification",
  "SSESpecification",
  "Tags",
  "TableClass",
  "ContributorInsightsSpecification",
  "OnDemandThroughput",
  "WarmThroughput",
  "ResourcePolicy",
  "Replicas",
  "WriteOnDemandThroughputSettings",
];

function readTable(reading: Reading, found: Found): void {
  const { logicalId, names } = reading;
  const facts = properties(reading, tableSchema, tablePropertiesWithoutEffect);
  const ttl = facts.TimeToLiveSpecification;
  found.tables.push({
    logicalId,
    name: names.ref(logicalId) ?? logicalId,
    arn: names.attribute(logicalId, "Arn") ?? "",
    streamArn: names.attribute(logicalId, "StreamArn") ?? "",
    keySchema: facts.KeySchema as KeyElement[],
    attributes: facts.AttributeDefinitions,
    globalIndexes: facts.GlobalSecondaryIndexes,
    localIndexes: facts.LocalSecondaryIndexes,
    ...(facts.StreamSpecification === undefined
      ? {}
      : { streamViewType: facts.StreamSpecification.StreamViewType }),
    ...(ttl?.Enabled && ttl.AttributeName !== undefined ? { ttlAttribute: ttl.AttributeName } : {}),
  });
}

const bucketSchema = z.object({
  VersioningConfiguration: z.object({ Status: z.enum(["Enabled", "Suspended"]) }).optional(),
  CorsConfiguration: z
    .object({
      CorsRules: z.array(
        z.object({
          AllowedOrigins: z.array(z.string()),
          AllowedMethods: z.array(z.string()),
          AllowedHeaders: z.array(z.string()).optional(),
          ExposedHeaders: z.array(z.string()).optional(),
          MaxAge: count.optional(),
        }),
      ),
    })
    .optional(),
  NotificationConfiguration: z
    .strictObject({
      QueueConfigurations: z.array(
        z.strictObject({
          Event: z.string(),
          Queue: z.string(),
          Filter: z
            .object({
              S3Key: z.object({ Rules: z.array(z.object({ Name: z.string(), Value: z.string() })) }),
            })
            .optional(),
        }),
      ),
    })
    .optional(),
});

function readBucket(reading: Reading, found: Found): void {
  const { logicalId, names } = reading;
  const facts = properties(reading, bucketSchema, [
    "BucketName",
    "BucketEncryption",
    "PublicAccessBlockConfiguration",
    "OwnershipControls",
    "LifecycleConfiguration",
    "LoggingConfiguration",
    "AccessControl",
    "MetricsConfigurations",
    "IntelligentTieringConfigurations",
    "AbacStatus",
    "Tags",
  ]);
  found.buckets.push({
    logicalId,
    name: names.ref(logicalId) ?? logicalId,
    arn: names.attribute(logicalId, "Arn") ?? "",
    versioned: facts.VersioningConfiguration?.Status === "Enabled",
    cors: (facts.CorsConfiguration?.CorsRules ?? []).map((rule) => ({
      allowedOrigins: rule.AllowedOrigins,
      allowedMethods: rule.AllowedMethods,
      ...(rule.AllowedHeaders && { allowedHeaders: rule.AllowedHeaders }),
      ...(rule.ExposedHeaders && { exposeHeaders: rule.ExposedHeaders }),
      ...(rule.MaxAge !== undefined && { maxAgeSeconds: rule.MaxAge }),
    })),
    notifications: (facts.NotificationConfiguration?.QueueConfigurations ?? []).map((one) => {
      const rules = one.Filter?.S3Key.Rules ?? [];
      const rule = (name: string) => rules.find((each) => each.Name.toLowerCase() === name)?.Value ?? "";
      return { event: one.Event, queueArn: one.Queue, prefix: rule("prefix"), suffix: rule("suffix") };
    }),
  });
}

const queueSchema = z.object({
  VisibilityTimeout: count.default(30),
  MessageRetentionPeriod: count.default(345_600),
  DelaySeconds: count.default(0),
  MaximumMessageSize: count.default(1_048_576),
  ReceiveMessageWaitTimeSeconds: count.default(0),
  RedrivePolicy: z
    .object({ deadLetterTargetArn: z.string(), maxReceiveCount: z.coerce.number().int().positive() })
    .optional(),
});

function readQueue(reading: Reading, found: Found): void {
  const { logicalId, names } = reading;
  const facts = properties(reading, queueSchema, [
    "QueueName",
    "SqsManagedSseEnabled",
    "KmsMasterKeyId",
    "KmsDataKeyReusePeriodSeconds",
    "RedriveAllowPolicy",
    "Tags",
  ]);
  found.queues.push({
    logicalId,
    name: names.attribute(logicalId, "QueueName") ?? logicalId,
    arn: names.attribute(logicalId, "Arn") ?? "",
    visibilityTimeoutSeconds: facts.VisibilityTimeout,
    retentionSeconds: facts.MessageRetentionPeriod,
    delaySeconds: facts.DelaySeconds,
    maxMessageBytes: facts.MaximumMessageSize,
    receiveWaitSeconds: facts.ReceiveMessageWaitTimeSeconds,
    ...(facts.RedrivePolicy === undefined
      ? {}
      : {
          deadLetter: {
            queueArn: facts.RedrivePolicy.deadLetterTargetArn,
            maxReceiveCount: facts.RedrivePolicy.maxReceiveCount,
          },
        }),
  });
}

function readEventBus(reading: Reading, found: Found): void {
  const { logicalId, names } = reading;
  properties(reading, z.object({}), ["Name", "Description", "Tags", "LogConfig"]);
  found.eventBuses.push({
    logicalId,
    name: names.ref(logicalId) ?? logicalId,
    arn: names.attribute(logicalId, "Arn") ?? "",
  });
}

/** Topics send nothing here, and a rule that does nothing but hand its events to one has no effect either. */
function readRule({ logicalId, resource, resources }: Reading): void {
  const targets = z
    .array(z.object({ Arn: z.object({ Ref: z.string() }) }))
    .safeParse(resource.Properties.Targets);
  const isForTopics = targets.data?.every(({ Arn }) => resources.get(Arn.Ref)?.Type === "AWS::SNS::Topic");
  if (!isForTopics) throw cannotImitate(logicalId, resource.Type, "a rule whose targets are not topics");
}

const eventSourceSchema = z.object({
  logicalId: z.string().default(""),
  FunctionName: z.string(),
  EventSourceArn: z.string(),
  Enabled: z.literal(true, "disabled sources are not imitated").optional(),
  BatchSize: z.coerce.number().int().positive().optional(),
  MaximumBatchingWindowInSeconds: count.default(0),
  FunctionResponseTypes: z.array(z.literal("ReportBatchItemFailures")).default([]),
  ScalingConfig: z.object({ MaximumConcurrency: z.coerce.number().int().positive() }).optional(),
  StartingPosition: z.enum(["TRIM_HORIZON", "LATEST"]).optional(),
  TumblingWindowInSeconds: count.default(0),
  BisectBatchOnFunctionError: z.coerce.boolean().default(false),
  MaximumRetryAttempts: z.coerce.number().int().min(-1).default(-1),
  MaximumRecordAgeInSeconds: z.coerce.number().int().min(-1).default(-1),
  ParallelizationFactor: count.optional(),
  DestinationConfig: z.object({ OnFailure: z.object({ Destination: z.string() }) }).optional(),
  FilterCriteria: z.object({ Filters: z.array(z.object({ Pattern: z.string() })) }).optional(),
});

function readEventSource(reading: Reading, found: Found): void {
  const facts = properties(reading, eventSourceSchema, ["Tags", "MetricsConfig", "KmsKeyArn"]);
  found.sources.push({ ...facts, logicalId: reading.logicalId });
}

const methodSchema = z.object({
  HttpMethod: z.string(),
  ResourceId: z.string(),
  RestApiId: z.string(),
  AuthorizationType: z.enum(["NONE", "CUSTOM"]).default("NONE"),
  AuthorizerId: z.string().optional(),
  ApiKeyRequired: z.coerce.boolean().default(false),
  Integration: z.object({
    Type: z.literal("AWS_PROXY", "only Lambda proxy integrations are imitated"),
    Uri: z.string(),
    TimeoutInMillis: z.coerce.number().int().positive().default(29_000),
  }),
});

function readMethod(reading: Reading, found: Found): void {
  const facts = properties(reading, methodSchema, [
    "OperationName",
    "MethodResponses",
    // Path parameters are declared with the path; validating others needs a request validator, which is refused.
    "RequestParameters",
    "AuthorizationScopes",
  ]);
  const authorizer =
    facts.AuthorizationType === "CUSTOM" && facts.AuthorizerId !== undefined
      ? readAuthorizer(reading, facts.AuthorizerId)
      : undefined;
  found.api.methods.push({
    resourcePath: pathOf(facts.ResourceId, reading),
    httpMethod: facts.HttpMethod,
    functionArn: functionArnIn(facts.Integration.Uri, reading),
    timeoutMs: facts.Integration.TimeoutInMillis,
    ...(authorizer === undefined ? {} : { authorizer }),
    apiKeyRequired: facts.ApiKeyRequired,
  });
}

function pathOf(resourceId: string, reading: Reading): string {
  const resource = reading.resources.get(resourceId);
  if (resource === undefined) return "/";
  const facts = properties(
    { ...reading, logicalId: resourceId, resource },
    z.object({ ParentId: z.string(), PathPart: z.string() }),
    ["RestApiId"],
  );
  const parent = pathOf(facts.ParentId, reading);
  return `${parent === "/" ? "" : parent}/${facts.PathPart}`;
}

const authorizerSchema = z.object({
  Type: z.literal("REQUEST", "only REQUEST authorizers are imitated"),
  AuthorizerUri: z.string(),
  IdentitySource: z.string().default(""),
  AuthorizerResultTtlInSeconds: count.default(300),
});

function readAuthorizer(reading: Reading, logicalId: string): AuthorizerFacts {
  const resource = reading.resources.get(logicalId);
  if (resource === undefined) throw cannotImitate(logicalId, "AWS::ApiGateway::Authorizer", "an unknown one");
  const own = { ...reading, logicalId, resource };
  const facts = properties(own, authorizerSchema, ["Name", "RestApiId", "AuthorizerCredentials"]);
  const identityHeaders = facts.IdentitySource.split(",")
    .map((source) => source.trim())
    .filter((source) => source !== "")
    .map((source) => {
      const [, header] = /^method\.request\.header\.(.+)$/.exec(source) ?? [];
      if (header === undefined) throw cannotImitate(logicalId, resource.Type, `identity source ${source}`);
      return header.toLowerCase();
    });
  return {
    logicalId,
    functionArn: functionArnIn(facts.AuthorizerUri, own),
    identityHeaders,
    resultTtlSeconds: facts.AuthorizerResultTtlInSeconds,
  };
}

function functionArnIn(uri: string, { logicalId, resource }: Reading): string {
  const [, arn] = /\/functions\/(.+)\/invocations$/.exec(uri) ?? [];
  if (arn === undefined) throw cannotImitate(logicalId, resource.Type, `the integration ${uri}`);
  return arn;
}

const gatewayResponseSchema = z.object({
  ResponseType: z.string(),
  StatusCode: z.coerce.number().int().optional(),
  ResponseParameters: z.record(z.string(), z.string()).default({}),
  ResponseTemplates: z.record(z.string(), z.string()).default({}),
});

function readGatewayResponse(reading: Reading, found: Found): void {
  const facts = properties(reading, gatewayResponseSchema, ["RestApiId"]);
  const headers = Object.entries(facts.ResponseParameters).map(([name, value]) => [
    name.replace(/^gatewayresponse\.header\./, ""),
    value,
  ]);
  found.api.gatewayResponses.push({
    responseType: facts.ResponseType,
    ...(facts.StatusCode === undefined ? {} : { statusCode: facts.StatusCode }),
    headers: Object.fromEntries(headers),
    templates: facts.ResponseTemplates,
  });
}

function readRestApi(reading: Reading, found: Found): void {
  const facts = properties(
    reading,
    z.object({
      BinaryMediaTypes: z.array(z.string()).default([]),
      ApiKeySourceType: z.literal("AUTHORIZER", "only keys named by the authorizer are imitated").optional(),
    }),
    [
      "Name",
      "Description",
      "EndpointConfiguration",
      "Tags",
      "DisableExecuteApiEndpoint",
      "MinimumCompressionSize",
      "Policy",
      "Mode",
      "SecurityPolicy",
      "EndpointAccessMode",
      "FailOnWarnings",
    ],
  );
  found.api.binaryMediaTypes.push(...facts.BinaryMediaTypes);
}

function readUsagePlan(reading: Reading, found: Found): void {
  const facts = properties(
    reading,
    z.object({
      Throttle: z.object({ RateLimit: z.coerce.number(), BurstLimit: z.coerce.number() }).optional(),
    }),
    ["ApiStages", "Description", "UsagePlanName", "Tags"],
  );
  if (facts.Throttle !== undefined)
    found.api.throttle = { rateLimit: facts.Throttle.RateLimit, burstLimit: facts.Throttle.BurstLimit };
}

function readStage({ resource }: Reading, found: Found): void {
  // Only its name matters here: it is part of the ARNs that an authorizer's policy speaks of.
  const { StageName } = resource.Properties;
  if (typeof StageName === "string") found.api.stage = StageName;
}

const readers: Readonly<Record<string, (reading: Reading, found: Found) => void>> = {
  "AWS::Lambda::Function": readFunction,
  "AWS::Lambda::EventSourceMapping": readEventSource,
  "AWS::DynamoDB::Table": readTable,
  "AWS::DynamoDB::GlobalTable": readTable,
  "AWS::S3::Bucket": readBucket,
  "AWS::SQS::Queue": readQueue,
  "AWS::Events::EventBus": readEventBus,
  "AWS::Events::Rule": readRule,
  "AWS::ApiGateway::RestApi": readRestApi,
  "AWS::ApiGateway::Method": readMethod,
  "AWS::ApiGateway::GatewayResponse": readGatewayResponse,
  "AWS::ApiGateway::Stage": readStage,
  "AWS::ApiGateway::UsagePlan": readUsagePlan,
  // Read from the methods that use them.
  "AWS::ApiGateway::Resource": () => {},
  "AWS::ApiGateway::Authorizer": () => {},
};

/** Sorts the event sources by kind and makes sure that whatever is named exists and can run here. */
function linked({
  functions,
  tables,
  buckets,
  queues,
  eventBuses,
  sources,
  api,
}: Found): Omit<StackFacts, "outputs"> {
  const queueSources: QueueSourceFacts[] = [];
  const streamSources: StreamSourceFacts[] = [];
  for (const source of sources) {
    const functionFacts = functions.find(
      (each) => each.name === source.FunctionName || each.arn === source.FunctionName,
    );
    if (functionFacts === undefined)
      throw new Error(`${source.logicalId}: there is no function ${source.FunctionName}.`);
    const filters = (source.FilterCriteria?.Filters ?? []).map(
      ({ Pattern }) => JSON.parse(Pattern) as EventPattern,
    );
    const common = {
      logicalId: source.logicalId,
      functionArn: functionFacts.arn,
      batchingWindowSeconds: source.MaximumBatchingWindowInSeconds,
      reportsItemFailures: source.FunctionResponseTypes.length > 0,
      filters,
    };
    if (queues.some((queue) => queue.arn === source.EventSourceArn)) {
      queueSources.push({
        ...common,
        queueArn: source.EventSourceArn,
        batchSize: source.BatchSize ?? 10,
        maximumConcurrency: source.ScalingConfig?.MaximumConcurrency ?? 10,
      });
    } else if (tables.some((table) => table.streamArn === source.EventSourceArn)) {
      const destination = source.DestinationConfig?.OnFailure.Destination;
      streamSources.push({
        ...common,
        streamArn: source.EventSourceArn,
        batchSize: source.BatchSize ?? 100,
        tumblingWindowSeconds: source.TumblingWindowInSeconds,
        bisectsOnError: source.BisectBatchOnFunctionError,
        maximumRetries: source.MaximumRetryAttempts === -1 ? Infinity : source.MaximumRetryAttempts,
        maximumRecordAgeSeconds:
          source.MaximumRecordAgeInSeconds === -1 ? Infinity : source.MaximumRecordAgeInSeconds,
        ...(destination === undefined ? {} : { onFailureQueueArn: destination }),
      });
    } else throw new Error(`${source.logicalId}: ${source.EventSourceArn} is neither a queue nor a stream.`);
  }

  const used = [
    ...queueSources.map((source) => source.functionArn),
    ...streamSources.map((source) => source.functionArn),
    ...api.methods.flatMap((method) => [method.functionArn, method.authorizer?.functionArn ?? []].flat()),
  ];
  for (const arn of used) {
    const named = functions.find((each) => each.arn === arn);
    if (named === undefined) throw new Error(`The stack calls ${arn}, which it does not define.`);
    if (named.codeDirectory === undefined || !existsSync(named.codeDirectory))
      throw new Error(
        `${named.logicalId}: its code ${named.codeDirectory ?? "(inline)"} is not a built folder.`,
      );
  }
  const queueArns = [
    ...queues.flatMap((queue) => queue.deadLetter?.queueArn ?? []),
    ...buckets.flatMap((bucket) => bucket.notifications.map((one) => one.queueArn)),
    ...streamSources.flatMap((source) => source.onFailureQueueArn ?? []),
  ];
  for (const arn of queueArns)
    if (!queues.some((queue) => queue.arn === arn))
      throw new Error(`${arn} is used as a queue, but the stack does not define it as one.`);

  const { throttle, ...rest } = api;
  return {
    functions,
    tables,
    buckets,
    queues,
    eventBuses,
    queueSources,
    streamSources,
    api: { id: "local", ...rest, ...(throttle === undefined ? {} : { throttle }) },
  };
}

interface PhysicalNames {
  ref(logicalId: string): string | undefined;
  attribute(logicalId: string, attribute: string): string | undefined;
}

/** Gives every imitated resource the name, address and attributes that it has here. */
function physicalNames(
  resources: ReadonlyMap<string, Resource>,
  region: string,
  queueEndpoint: string,
): PhysicalNames {
  const plain = [...resources.keys()].map(withoutHash);
  const nameOf = (logicalId: string, property: string): string => {
    const given = resources.get(logicalId)?.Properties[property];
    if (typeof given === "string") return given;
    const short = withoutHash(logicalId);
    return plain.filter((each) => each === short).length === 1 ? short : logicalId;
  };
  const arn = (service: string, rest: string) => `arn:aws:${service}:${region}:${localAccountId}:${rest}`;

  const describe = (logicalId: string): Record<string, string> | undefined => {
    switch (resources.get(logicalId)?.Type) {
      case "AWS::Lambda::Function": {
        const name = nameOf(logicalId, "FunctionName");
        return { Ref: name, Arn: arn("lambda", `function:${name}`) };
      }
      case "AWS::DynamoDB::Table":
      case "AWS::DynamoDB::GlobalTable": {
        const name = nameOf(logicalId, "TableName");
        const table = arn("dynamodb", `table/${name}`);
        return { Ref: name, Arn: table, StreamArn: `${table}/stream/local`, TableId: name };
      }
      case "AWS::S3::Bucket": {
        const name = nameOf(logicalId, "BucketName").toLowerCase();
        const domain = `${name}.s3.amazonaws.com`;
        return { Ref: name, Arn: `arn:aws:s3:::${name}`, DomainName: domain, RegionalDomainName: domain };
      }
      case "AWS::SQS::Queue": {
        const name = nameOf(logicalId, "QueueName");
        return {
          Ref: `${queueEndpoint}/${localAccountId}/${name}`,
          QueueUrl: `${queueEndpoint}/${localAccountId}/${name}`,
          QueueName: name,
          Arn: arn("sqs", name),
        };
      }
      case "AWS::Events::EventBus": {
        const name = nameOf(logicalId, "Name");
        return { Ref: name, Name: name, Arn: arn("events", `event-bus/${name}`) };
      }
      case "AWS::ApiGateway::RestApi":
        return { Ref: "local", RestApiId: "local", RootResourceId: "root" };
      case "AWS::ApiGateway::Resource":
      case "AWS::ApiGateway::Authorizer":
      case "AWS::Lambda::EventSourceMapping":
        return { Ref: logicalId };
      default:
        return undefined;
    }
  };
  return {
    ref: (logicalId) => describe(logicalId)?.Ref,
    attribute: (logicalId, attribute) => describe(logicalId)?.[attribute],
  };
}

/** `UploadsBucketB1C2D3E4` is what the CDK makes of `UploadsBucket`. */
function withoutHash(logicalId: string): string {
  return logicalId.replace(/[0-9A-F]{8}$/, "");
}

function outputsOf(outputs: Record<string, { Value: unknown }>, resolve: ResolveIntrinsics) {
  const values: Record<string, string> = {};
  for (const [name, { Value }] of Object.entries(outputs)) {
    try {
      const value = resolve(Value);
      if (typeof value === "string") values[name] = value;
    } catch {
      // An address that only AWS knows.
    }
  }
  return values;
}
