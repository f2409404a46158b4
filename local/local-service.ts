import { appendFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { buildStack } from "./build.ts";
import { createFirstKey } from "./create-first-key.ts";
import { type DynamoDbEngine, startDynoxide } from "./dynamodb/engine.ts";
import { ensureTable } from "./dynamodb/tables.ts";
import { type DeliveredEvent, startEventBridge } from "./event-bus/event-bridge-server.ts";
import { bucketNotifications, connectQueues } from "./events/bucket-notifications.ts";
import { openCheckpoints } from "./events/checkpoints.ts";
import { type EventSource, startQueueSource } from "./events/queue-source.ts";
import { batchDelivery } from "./events/stream-batch.ts";
import { StreamReader } from "./events/stream-reader.ts";
import { startStreamSource } from "./events/stream-source.ts";
import { type FileLock, LockedError, lockFile } from "./file-lock.ts";
import { type FunctionRuntime, LocalFunction } from "./functions/local-function.ts";
import type { Invoke } from "./gateway/authorizer.ts";
import { portIsTaken, startGateway } from "./gateway/gateway.ts";
import { openQueueStore } from "./queues/queue-store.ts";
import { startSqsServer } from "./queues/sqs-server.ts";
import { type S3BucketOptions, type S3Options, type S3Server, startS3 } from "./s3/server.ts";
import { readState, stateSchema, writePrivateJson } from "./state-file.ts";
import type { FunctionFacts, StackFacts, TableFacts } from "./template/facts.ts";
import { readTemplate } from "./template/read-template.ts";

export interface LocalServiceOptions {
  /** Where all state is kept. @default `.local` in the project */
  readonly directory?: string;
  /** Of the API; 0 picks a free one. @default 3000 */
  readonly port?: number;
  /** Address that the API listens on. @default 127.0.0.1 */
  readonly host?: string;
  /** True: forget everything that the directory holds. @default false */
  readonly fresh?: boolean;
  /** Folder of a synthesized stack. @default the project's own, built when its sources have changed */
  readonly stack?: string;
  /** Makes the first API key and answers its secret. @default the service's own way */
  readonly createKey?: (surroundings: KeySurroundings) => Promise<string>;
  /** A function and where it finds its services, changed by whoever listens in between. @default as they are */
  readonly between?: (fn: Surroundings) => Promise<Surroundings>;
  /** Told before a build begins: it takes a while. */
  readonly onBuild?: () => void;
  /** Told of every event on the service's bus, after it was written down. */
  readonly onEvent?: (event: DeliveredEvent) => void;
}

/** What a function is, and where it finds DynamoDB, S3 and the rest. */
export interface Surroundings {
  readonly facts: FunctionFacts;
  readonly endpoints: FunctionRuntime["endpoints"];
}

/** What is needed to write into the service's table from outside. */
export interface KeySurroundings {
  readonly tableName: string;
  readonly runtime: FunctionRuntime;
}

/** Where everything is: the content of `.local/endpoints.json`. */
export interface Endpoints {
  readonly apiUrl: string;
  readonly apiKey: string;
  readonly s3: {
    readonly endpoint: string;
    readonly region: string;
    readonly accessKeyId: string;
    readonly secretAccessKey: string;
    readonly uploadsBucket: string;
    readonly exportsBucket: string;
  };
  readonly dynamodb: {
    readonly endpoint: string;
    readonly region: string;
    readonly accessKeyId: string;
    readonly secretAccessKey: string;
    readonly tableName: string;
  };
  /** Of the queues, on the same keys. */
  readonly sqs: { readonly endpoint: string };
}

export interface LocalService {
  readonly endpoints: Endpoints;
  /** Logs of the functions, one file each. */
  readonly logDirectory: string;
  /** Every event on the service's bus, a JSON line each. */
  readonly eventsFile: string;
  /** True when functions and template were built in this start. */
  readonly rebuilt: boolean;
  /** Resolves when the DynamoDB engine ends by itself: nothing works any more then. */
  readonly engineGone: Promise<void>;
  /** Lets requests finish, then stops. Work of event functions that takes longer comes again at the next start. */
  close(): Promise<void>;
  /** Breaks everything off, as `kill -9` would. */
  kill(): Promise<void>;
}

const projectDirectory = fileURLToPath(new URL("..", import.meta.url));
const requestGraceMs = 30_000;
const eventGraceMs = 2_000;

/** Runs the whole service of a synthesized stack on this machine; resolves when it answers. */
export async function startLocalService(options: LocalServiceOptions = {}): Promise<LocalService> {
  const directory = resolve(options.directory ?? join(projectDirectory, ".local"));
  const { port = 3000, host = "127.0.0.1" } = options;
  const cleanUp = new CleanUp();
  const lock = lockDirectory(directory);
  cleanUp.add(async () => lock.release());
  try {
    if (options.fresh) wipe(directory);
    await assertPortIsFree(port, host);
    return await start({ ...options, directory, port, host, lock }, cleanUp);
  } catch (error) {
    await cleanUp.run();
    throw error;
  }
}

type Settings = LocalServiceOptions &
  Required<Pick<LocalServiceOptions, "directory" | "port" | "host">> & { readonly lock: FileLock };

async function start(options: Settings, cleanUp: CleanUp): Promise<LocalService> {
  const { directory, port, host } = options;
  const endpointsFile = join(directory, "endpoints.json");
  rmSync(endpointsFile, { force: true });
  const stateFile = join(directory, "state.json");
  const state = readState(stateFile);
  const built =
    options.stack === undefined
      ? await buildStack(options.onBuild)
      : { directory: options.stack, rebuilt: false };

  const [sqs, ownEngine] = await Promise.all([
    cleanUp.owning(startSqsServer(), (server) => server.close()),
    cleanUp.owning(startDynoxide({ directory: join(directory, "dynamodb") }), (started) => started.close()),
  ]);
  const isForeign = process.env.DYNAMODB_ENDPOINT !== undefined && process.env.DYNAMODB_ENDPOINT !== "";
  const credentials = isForeign ? ownEngine.credentials : state.credentials;
  const engine: DynamoDbEngine = { ...ownEngine, credentials };
  const { region } = engine;

  const facts = readTemplate({ directory: built.directory, region, queueEndpoint: sqs.endpoint });
  const table = onlyTable(facts);
  const queues = await openQueueStore(join(directory, "queues"), facts.queues);
  cleanUp.add(() => queues.close());
  sqs.serve(queues);

  const eventsFile = join(directory, "events.jsonl");
  const eventBridge = await cleanUp.owning(
    startEventBridge({
      region,
      buses: facts.eventBuses.map(({ name }) => name),
      onEvent: (event) => {
        appendFileSync(eventsFile, `${JSON.stringify(event)}\n`);
        options.onEvent?.(event);
      },
    }),
    (server) => server.close(),
  );
  const [{ created, streamArn }, s3] = await Promise.all([
    ensureTable(engine, table),
    cleanUp.owning(
      startS3Again(state.s3Port, {
        directory: join(directory, "s3"),
        region,
        credentials,
        buckets: facts.buckets.map((bucket): S3BucketOptions => {
          const notify = bucketNotifications(bucket, queues);
          return {
            name: bucket.name,
            versioned: bucket.versioned,
            ...(notify === undefined ? {} : { notify }),
            ...(bucket.cors.length === 0 ? {} : { cors: bucket.cors }),
          };
        }),
      }),
      (server) => server.close(),
    ),
  ]);
  for (const bucket of facts.buckets) await connectQueues(bucket, queues, join(directory, "queues"));

  const runtime: FunctionRuntime = {
    region,
    credentials,
    endpoints: {
      dynamodb: engine.endpoint,
      s3: s3.endpoint,
      sqs: sqs.endpoint,
      eventBridge: eventBridge.endpoint,
    },
  };
  const logDirectory = join(directory, "logs");
  const functions = await localFunctions(facts, runtime, logDirectory, options.between);
  const invoke: Invoke = (arn, event) => functionAt(functions, arn).invoke(event);

  const createKey = options.createKey ?? createFirstKey;
  const apiKey =
    created || state.apiKey === undefined
      ? await createKey({ tableName: table.name, runtime })
      : state.apiKey;
  writePrivateJson(stateFile, stateSchema.parse({ ...state, apiKey, s3Port: s3.port }));

  const gateway = await startGateway({ facts: facts.api, region, invoke, port, host });
  const sources: EventSource[] = [
    ...facts.queueSources.map((source) =>
      startQueueSource({ facts: source, queue: queues.withArn(source.queueArn), region, invoke }),
    ),
    ...facts.streamSources.map((source) => {
      if (streamArn === undefined) throw new Error(`The engine made no stream for ${table.name}.`);
      return startStreamSource({
        facts: source,
        streamArn,
        reader: new StreamReader(engine),
        checkpoints: openCheckpoints(join(directory, "checkpoints", `${source.logicalId}.json`)),
        deliver: batchDelivery({
          facts: source,
          streamArn,
          region,
          invoke,
          onFailure:
            source.onFailureQueueArn === undefined ? undefined : queues.withArn(source.onFailureQueueArn),
        }),
      });
    }),
  ];

  /** From the outside inwards: callers first, stores last. */
  const stop = async (requestMs: number, eventMs: number) => {
    const sourcesStopped = Promise.all(sources.map((source) => source.stop()));
    await gateway.close(requestMs);
    await Promise.all([...functions.values()].map((each) => each.close(eventMs)));
    await sourcesStopped;
    await cleanUp.run();
  };

  // Field by field: the SDK's clients leave notes of their own in the credentials that they are given.
  const { accessKeyId, secretAccessKey } = credentials;
  const keys = { region, accessKeyId, secretAccessKey };
  const endpoints: Endpoints = {
    apiUrl: gateway.url,
    apiKey,
    s3: { endpoint: s3.endpoint, ...keys, ...bucketNames(facts) },
    dynamodb: { endpoint: engine.endpoint, ...keys, tableName: table.name },
    sqs: { endpoint: sqs.endpoint },
  };
  writePrivateJson(endpointsFile, endpoints);
  return {
    endpoints,
    logDirectory,
    eventsFile,
    rebuilt: built.rebuilt,
    engineGone: engine.gone,
    close: () => {
      if (options.lock.held) rmSync(endpointsFile, { force: true });
      return stop(requestGraceMs, eventGraceMs);
    },
    kill: () => stop(0, 0),
  };
}

/** Undoes what was started, in reverse order. */
class CleanUp {
  readonly #steps: (() => Promise<void>)[] = [];

  add(step: () => Promise<void>): void {
    this.#steps.push(step);
  }

  async owning<Thing>(start: Promise<Thing>, end: (thing: Thing) => Promise<void>): Promise<Thing> {
    const thing = await start;
    this.add(() => end(thing));
    return thing;
  }

  async run(): Promise<void> {
    for (const step of this.#steps.splice(0).reverse()) await step();
  }
}

function lockDirectory(directory: string) {
  try {
    return lockFile(join(directory, "lock"));
  } catch (error) {
    if (!(error instanceof LockedError)) throw error;
    throw new Error(
      `Codewell already runs on ${directory} (process ${error.pid}). Stop it first, or use another directory: npm start -- --directory <path>`,
    );
  }
}

/** Removes the service's own data by name and nothing else: the directory may be anybody's. */
function wipe(directory: string): void {
  for (const name of [
    "checkpoints",
    "dynamodb",
    "endpoints.json",
    "events.jsonl",
    "logs",
    "queues",
    "s3",
    "state.json",
  ])
    rmSync(join(directory, name), { recursive: true, force: true });
}

/** Says so now, not after a build. */
async function assertPortIsFree(port: number, host: string): Promise<void> {
  if (!(await isFree(port, host))) throw portIsTaken(port);
}

function isFree(port: number, host: string): Promise<boolean> {
  return new Promise((done, reject) => {
    const probe = createServer();
    probe.once("error", (error: NodeJS.ErrnoException) =>
      error.code === "EADDRINUSE" ? done(false) : reject(error),
    );
    probe.listen(port, host, () => probe.close(() => done(true)));
  });
}

function onlyTable(facts: StackFacts): TableFacts {
  const [table, ...others] = facts.tables;
  if (table === undefined || others.length > 0)
    throw new Error(`The local service expects one table, the stack has ${facts.tables.length}.`);
  return table;
}

/** On the port of last time if it is free, so that presigned URLs outlive a restart. */
async function startS3Again(port: number | undefined, options: S3Options): Promise<S3Server> {
  const free = port !== undefined && (await isFree(port, "127.0.0.1"));
  return startS3(free ? { ...options, port } : options);
}

async function localFunctions(
  facts: StackFacts,
  runtime: FunctionRuntime,
  logDirectory: string,
  between: LocalServiceOptions["between"] = async (fn) => fn,
): Promise<Map<string, LocalFunction>> {
  const ofGateway = new Set(
    facts.api.methods.flatMap((method) => [
      method.functionArn,
      ...(method.authorizer === undefined ? [] : [method.authorizer.functionArn]),
    ]),
  );
  const concurrency = new Map<string, number>();
  for (const { functionArn } of facts.streamSources) concurrency.set(functionArn, 1);
  for (const { functionArn, maximumConcurrency } of facts.queueSources)
    concurrency.set(functionArn, (concurrency.get(functionArn) ?? 0) + maximumConcurrency);

  const functions = new Map<string, LocalFunction>();
  for (const each of facts.functions) {
    const environments = ofGateway.has(each.arn) ? "shared" : concurrency.get(each.arn);
    if (environments === undefined) continue;
    const fn = await between({ facts: each, endpoints: runtime.endpoints });
    const own = { ...runtime, endpoints: fn.endpoints };
    functions.set(each.arn, new LocalFunction({ facts: fn.facts, runtime: own, logDirectory, environments }));
  }
  return functions;
}

function functionAt(functions: ReadonlyMap<string, LocalFunction>, arn: string): LocalFunction {
  const found = functions.get(arn);
  if (found === undefined) throw new Error(`There is no function ${arn}.`);
  return found;
}

/** The stack says in its outputs which bucket is which. */
function bucketNames({ outputs }: StackFacts) {
  return { uploadsBucket: outputs.UploadsBucket ?? "", exportsBucket: outputs.ExportsBucket ?? "" };
}
