import { randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import * as z from "zod";
import { localAccountId } from "../template/read-template.ts";
import { type Message, md5OfAttributes, md5OfBody } from "./message.ts";
import type { Queue } from "./queue.ts";
import { invalidParameter, QueueError } from "./queue-error.ts";
import type { QueueStore } from "./queue-store.ts";

export interface SqsServer {
  /** `http://127.0.0.1:<port>`; a queue's URL is `<endpoint>/<account>/<name>`. */
  readonly endpoint: string;
  /** Lets it answer for these queues. Until then every queue is unknown. */
  serve(store: QueueStore): void;
  close(): Promise<void>;
}

/** SQS's JSON protocol (`application/x-amz-json-1.0`) on loopback. Signatures are not checked. */
export async function startSqsServer(port = 0): Promise<SqsServer> {
  let store: QueueStore | undefined;
  const server = createServer((request, response) => {
    answer(request, response, store).catch(() => response.destroy());
  });
  server.keepAliveTimeout = 65_000;
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", () => resolve());
  });
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    serve(queues) {
      store = queues;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

const maxRequestBytes = 2 * 1024 * 1024;

async function answer(request: IncomingMessage, response: ServerResponse, store: QueueStore | undefined) {
  const requestId = randomUUID();
  const gone = new AbortController();
  response.on("close", () => gone.abort());
  const reply = (status: number, body: object, headers: Record<string, string> = {}) => {
    response.writeHead(status, {
      "content-type": "application/x-amz-json-1.0",
      "x-amzn-requestid": requestId,
      ...headers,
    });
    response.end(JSON.stringify(body));
  };
  try {
    if (store === undefined) throw new QueueError("ServiceUnavailable", "The service is starting.");
    const body = await bodyOf(request);
    const [, action = ""] = /^AmazonSQS\.(\w+)$/.exec(String(request.headers["x-amz-target"])) ?? [];
    const operation = operations[action];
    if (operation === undefined)
      throw new QueueError("UnsupportedOperation", `${action || "This request"} is not imitated.`);
    reply(
      200,
      await operation({ store, signal: gone.signal, endpoint: `http://${request.headers.host}` }, body),
    );
  } catch (error) {
    const refusal =
      error instanceof z.ZodError ? invalidParameter(z.prettifyError(error)) : (error as QueueError);
    if (!(refusal instanceof QueueError)) throw error;
    reply(
      400,
      { __type: `com.amazonaws.sqs#${refusal.code}`, message: refusal.message },
      { "x-amzn-query-error": `${refusal.queryCode};Sender` },
    );
  }
}

async function bodyOf(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > maxRequestBytes) throw invalidParameter("The request is too long.");
    chunks.push(chunk);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString() || "{}");
  } catch {
    throw new QueueError("SerializationException", "The body is not JSON.");
  }
}

interface Call {
  readonly store: QueueStore;
  readonly endpoint: string;
  /** Aborted when the caller hangs up. */
  readonly signal: AbortSignal;
}

type Operation = (call: Call, input: unknown) => Promise<object>;

function operation<Schema extends z.ZodType>(
  schema: Schema,
  run: (call: Call, input: z.infer<Schema>) => Promise<object>,
): Operation {
  return (call, input) => run(call, schema.parse(input));
}

const attribute = z.object({
  DataType: z.string(),
  StringValue: z.string().optional(),
  BinaryValue: z.string().optional(),
});
const entry = {
  MessageBody: z.string(),
  DelaySeconds: z.number().optional(),
  MessageAttributes: z.record(z.string(), attribute).default({}),
};
const batchOf = <Shape extends z.ZodRawShape>(shape: Shape) =>
  z.object({
    QueueUrl: z.string(),
    Entries: z
      .array(z.object({ Id: z.string(), ...shape }))
      .min(1)
      .max(10),
  });

const operations: Readonly<Record<string, Operation>> = {
  SendMessage: operation(z.object({ QueueUrl: z.string(), ...entry }), async (call, input) =>
    sent(await send(queueAt(call, input.QueueUrl), input)),
  ),

  SendMessageBatch: operation(batchOf(entry), async (call, { QueueUrl, Entries }) => {
    const queue = queueAt(call, QueueUrl);
    return inBatch(Entries, async (each) => sent(await send(queue, each)));
  }),

  ReceiveMessage: operation(
    z.object({
      QueueUrl: z.string(),
      MaxNumberOfMessages: z.number().int().min(1).max(10).default(1),
      VisibilityTimeout: z.number().optional(),
      WaitTimeSeconds: z.number().int().min(0).max(20).optional(),
      AttributeNames: z.array(z.string()).default([]),
      MessageSystemAttributeNames: z.array(z.string()).default([]),
      MessageAttributeNames: z.array(z.string()).default([]),
    }),
    async (call, input) => {
      const queue = queueAt(call, input.QueueUrl);
      const messages = await queue.receive({
        max: input.MaxNumberOfMessages,
        visibilityTimeoutSeconds: input.VisibilityTimeout,
        waitMs: (input.WaitTimeSeconds ?? queue.facts.receiveWaitSeconds) * 1_000,
        signal: call.signal,
      });
      const system = [...input.AttributeNames, ...input.MessageSystemAttributeNames];
      return { Messages: messages.map((message) => received(message, system, input.MessageAttributeNames)) };
    },
  ),

  DeleteMessage: operation(
    z.object({ QueueUrl: z.string(), ReceiptHandle: z.string() }),
    async (call, { QueueUrl, ReceiptHandle }) => {
      await queueAt(call, QueueUrl).delete(ReceiptHandle);
      return {};
    },
  ),

  DeleteMessageBatch: operation(
    batchOf({ ReceiptHandle: z.string() }),
    async (call, { QueueUrl, Entries }) => {
      const queue = queueAt(call, QueueUrl);
      return inBatch(Entries, async (each) => {
        await queue.delete(each.ReceiptHandle);
        return {};
      });
    },
  ),

  ChangeMessageVisibility: operation(
    z.object({ QueueUrl: z.string(), ReceiptHandle: z.string(), VisibilityTimeout: z.number() }),
    async (call, { QueueUrl, ReceiptHandle, VisibilityTimeout }) => {
      await queueAt(call, QueueUrl).changeVisibility(ReceiptHandle, VisibilityTimeout);
      return {};
    },
  ),

  ChangeMessageVisibilityBatch: operation(
    batchOf({ ReceiptHandle: z.string(), VisibilityTimeout: z.number() }),
    async (call, { QueueUrl, Entries }) => {
      const queue = queueAt(call, QueueUrl);
      return inBatch(Entries, async (each) => {
        await queue.changeVisibility(each.ReceiptHandle, each.VisibilityTimeout);
        return {};
      });
    },
  ),

  GetQueueUrl: operation(z.object({ QueueName: z.string() }), async (call, { QueueName }) => ({
    QueueUrl: urlOf(call, call.store.named(QueueName)),
  })),

  ListQueues: operation(z.object({ QueueNamePrefix: z.string().default("") }), async (call, input) => ({
    QueueUrls: call.store.all
      .filter((queue) => queue.facts.name.startsWith(input.QueueNamePrefix))
      .map((queue) => urlOf(call, queue)),
  })),

  GetQueueAttributes: operation(
    z.object({ QueueUrl: z.string(), AttributeNames: z.array(z.string()).default([]) }),
    async (call, { QueueUrl, AttributeNames }) => {
      const all = attributesOf(queueAt(call, QueueUrl));
      const wanted = Object.entries(all).filter(
        ([name]) => AttributeNames.includes("All") || AttributeNames.includes(name),
      );
      return { Attributes: Object.fromEntries(wanted) };
    },
  ),

  StartMessageMoveTask: operation(z.object({ SourceArn: z.string() }), async ({ store }, { SourceArn }) => {
    const task = await moveBack(store, SourceArn);
    return { TaskHandle: Buffer.from(JSON.stringify(task)).toString("base64") };
  }),

  ListMessageMoveTasks: operation(
    z.object({ SourceArn: z.string(), MaxResults: z.number().int().min(1).max(10).default(1) }),
    async ({ store }, { SourceArn, MaxResults }) => {
      store.withArn(SourceArn);
      return { Results: movesOf(store, SourceArn).slice(0, MaxResults) };
    },
  ),

  PurgeQueue: operation(z.object({ QueueUrl: z.string() }), async (call, { QueueUrl }) => {
    await queueAt(call, QueueUrl).purge();
    return {};
  }),
};

/** A move of dead letters as `ListMessageMoveTasks` tells it. */
interface MoveTask {
  readonly Status: "COMPLETED";
  readonly SourceArn: string;
  readonly ApproximateNumberOfMessagesMoved: number;
  readonly ApproximateNumberOfMessagesToMove: number;
  readonly StartedTimestamp: number;
}

/** Newest first, for as long as the machine runs; SQS remembers ten. */
const movesByStore = new WeakMap<QueueStore, MoveTask[]>();

function movesOf(store: QueueStore, arn: string): readonly MoveTask[] {
  return (movesByStore.get(store) ?? []).filter(({ SourceArn }) => SourceArn === arn);
}

/**
 * Moves all visible messages to the queue that gave them up, as new ones. SQS does it bit by bit after its answer;
 * here it is done when the answer comes.
 */
async function moveBack(store: QueueStore, arn: string): Promise<MoveTask> {
  const source = store.withArn(arn);
  const target = store.all.find(({ facts }) => facts.deadLetter?.queueArn === arn);
  if (target === undefined) throw invalidParameter("Source queue must be configured as a Dead Letter Queue.");
  const begun = Date.now();
  let moved = 0;
  const most = [...source.messages()].length;
  while (moved < most) {
    const messages = await source.receive({ max: Math.min(10, most - moved) });
    if (messages.length === 0) break;
    for (const { body, attributes, receipt } of messages) {
      // First there, then gone here: a crash in between leaves two, never none.
      await target.send(body, { attributes });
      await source.delete(receipt ?? "");
    }
    moved += messages.length;
  }
  const task: MoveTask = {
    Status: "COMPLETED",
    SourceArn: arn,
    ApproximateNumberOfMessagesMoved: moved,
    ApproximateNumberOfMessagesToMove: most,
    StartedTimestamp: begun,
  };
  movesByStore.set(store, [task, ...(movesByStore.get(store) ?? [])].slice(0, 10));
  return task;
}

function queueAt({ store }: Call, url: string): Queue {
  return store.named(url.split("/").at(-1) ?? "");
}

function urlOf({ endpoint }: Call, queue: Queue): string {
  return `${endpoint}/${localAccountId}/${queue.facts.name}`;
}

interface Entry {
  readonly MessageBody: string;
  readonly DelaySeconds?: number | undefined;
  readonly MessageAttributes: Message["attributes"];
}

function send(queue: Queue, { MessageBody, DelaySeconds, MessageAttributes }: Entry): Promise<Message> {
  return queue.send(MessageBody, { attributes: MessageAttributes, delaySeconds: DelaySeconds });
}

function sent(message: Message) {
  return {
    MessageId: message.id,
    MD5OfMessageBody: md5OfBody(message.body),
    MD5OfMessageAttributes: md5OfAttributes(message.attributes),
  };
}

/** Message, checksums and the attributes that were asked for, as strings. */
function received(message: Message, systemNames: readonly string[], attributeNames: readonly string[]) {
  const system = Object.entries(systemAttributes(message)).filter(
    ([name]) => systemNames.includes("All") || systemNames.includes(name),
  );
  const own = Object.entries(message.attributes).filter(([name]) =>
    attributeNames.some(
      (wanted) =>
        wanted === "All" ||
        wanted === name ||
        (wanted.endsWith(".*") && name.startsWith(wanted.slice(0, -2))),
    ),
  );
  const attributes = Object.fromEntries(own);
  return {
    MessageId: message.id,
    ReceiptHandle: message.receipt,
    Body: message.body,
    MD5OfBody: md5OfBody(message.body),
    ...(system.length === 0 ? {} : { Attributes: Object.fromEntries(system) }),
    ...(own.length === 0
      ? {}
      : { MessageAttributes: attributes, MD5OfMessageAttributes: md5OfAttributes(attributes) }),
  };
}

/** What SQS itself tells of a message. */
export function systemAttributes(message: Message): Record<string, string> {
  return {
    SenderId: localAccountId,
    SentTimestamp: String(message.sentAt),
    ApproximateReceiveCount: String(message.receiveCount),
    ApproximateFirstReceiveTimestamp: String(message.firstReceivedAt ?? message.sentAt),
  };
}

function attributesOf(queue: Queue): Record<string, string> {
  const { facts } = queue;
  const { visible, inFlight, delayed } = queue.counts();
  return {
    QueueArn: facts.arn,
    ApproximateNumberOfMessages: String(visible),
    ApproximateNumberOfMessagesNotVisible: String(inFlight),
    ApproximateNumberOfMessagesDelayed: String(delayed),
    VisibilityTimeout: String(facts.visibilityTimeoutSeconds),
    MaximumMessageSize: String(facts.maxMessageBytes),
    MessageRetentionPeriod: String(facts.retentionSeconds),
    DelaySeconds: String(facts.delaySeconds),
    ReceiveMessageWaitTimeSeconds: String(facts.receiveWaitSeconds),
    ...(facts.deadLetter === undefined
      ? {}
      : {
          RedrivePolicy: JSON.stringify({
            deadLetterTargetArn: facts.deadLetter.queueArn,
            maxReceiveCount: facts.deadLetter.maxReceiveCount,
          }),
        }),
  };
}

/** Runs each entry for itself: what fails is reported beside what succeeded. */
async function inBatch<Each extends { Id: string }>(
  entries: readonly Each[],
  run: (entry: Each) => Promise<object>,
): Promise<object> {
  const ids = entries.map((each) => each.Id);
  if (new Set(ids).size < ids.length)
    throw new QueueError(
      "BatchEntryIdsNotDistinct",
      "Two entries of the batch have the same Id.",
      "AWS.SimpleQueueService.BatchEntryIdsNotDistinct",
    );
  const Successful: object[] = [];
  const Failed: object[] = [];
  await Promise.all(
    entries.map(async (each) => {
      try {
        Successful.push({ Id: each.Id, ...(await run(each)) });
      } catch (error) {
        if (!(error instanceof QueueError)) throw error;
        Failed.push({ Id: each.Id, Code: error.queryCode, Message: error.message, SenderFault: true });
      }
    }),
  );
  return Failed.length === 0 ? { Successful } : { Successful, Failed };
}
