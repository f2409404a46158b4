import { appendFileSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import {
  ChangeMessageVisibilityCommand,
  DeleteMessageBatchCommand,
  DeleteMessageCommand,
  GetQueueAttributesCommand,
  GetQueueUrlCommand,
  ListMessageMoveTasksCommand,
  ListQueuesCommand,
  PurgeQueueCommand,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
  SendMessageCommand,
  SQSClient,
  StartMessageMoveTaskCommand,
} from "@aws-sdk/client-sqs";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { startQueueSource } from "../../local/events/queue-source.ts";
import { FunctionError } from "../../local/functions/function-error.ts";
import { openQueueStore, type QueueStore } from "../../local/queues/queue-store.ts";
import { type SqsServer, startSqsServer } from "../../local/queues/sqs-server.ts";
import type { QueueFacts, QueueSourceFacts } from "../../local/template/facts.ts";

/** What may take a moment, and longer on a machine that is slow. */
const patience = { timeout: 30_000 };

const arn = (name: string) => `arn:aws:sqs:us-east-1:000000000000:${name}`;

const aQueue = (name: string, facts: Partial<QueueFacts> = {}): QueueFacts => ({
  logicalId: name,
  name,
  arn: arn(name),
  visibilityTimeoutSeconds: 30,
  retentionSeconds: 3_600,
  delaySeconds: 0,
  maxMessageBytes: 1_048_576,
  receiveWaitSeconds: 0,
  ...facts,
});

const declared = [
  aQueue("jobs"),
  aQueue("quick", {
    visibilityTimeoutSeconds: 1,
    deadLetter: { queueArn: arn("dead"), maxReceiveCount: 2 },
  }),
  aQueue("dead"),
  aQueue("small", { maxMessageBytes: 1_024 }),
];

let directory: string;
let store: QueueStore;
let server: SqsServer;
let sqs: SQSClient;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "queues-"));
  store = await openQueueStore(directory, declared);
  server = await startSqsServer();
  server.serve(store);
  sqs = new SQSClient({
    endpoint: server.endpoint,
    region: "us-east-1",
    credentials: { accessKeyId: "a", secretAccessKey: "b" },
  });
});
afterEach(async () => {
  sqs.destroy();
  await server.close();
  await store.close();
});

const url = (name: string) => `${server.endpoint}/000000000000/${name}`;
const send = (queue: string, MessageBody: string, more = {}) =>
  sqs.send(new SendMessageCommand({ QueueUrl: url(queue), MessageBody, ...more }));
const receive = async (queue: string, more = {}) => {
  const { Messages = [] } = await sqs.send(
    new ReceiveMessageCommand({
      QueueUrl: url(queue),
      MaxNumberOfMessages: 10,
      MessageSystemAttributeNames: ["All"],
      MessageAttributeNames: ["All"],
      ...more,
    }),
  );
  return Messages;
};
const bodies = (messages: readonly { Body?: string | undefined }[]) =>
  messages.map((message) => message.Body).sort();

describe("a local queue, used with the SDK", () => {
  it("gives a message with its attributes and checksums, which the SDK verifies, until it is deleted", async () => {
    await send("jobs", "one ✓", {
      MessageAttributes: {
        kind: { DataType: "String", StringValue: "load" },
        raw: { DataType: "Binary", BinaryValue: Buffer.from([1, 2, 3]) },
      },
    });

    const [message] = await receive("jobs");
    expect(message).toMatchObject({
      Body: "one ✓",
      Attributes: { ApproximateReceiveCount: "1" },
      MessageAttributes: { kind: { StringValue: "load" } },
    });
    expect(message?.MessageAttributes?.raw?.BinaryValue).toEqual(new Uint8Array([1, 2, 3]));

    await sqs.send(
      new DeleteMessageCommand({ QueueUrl: url("jobs"), ReceiptHandle: message?.ReceiptHandle }),
    );
    await sqs.send(new GetQueueAttributesCommand({ QueueUrl: url("jobs"), AttributeNames: ["All"] }));
    expect(await counts("jobs")).toEqual([0, 0, 0]);
  });

  const counts = async (queue: string) => {
    const { Attributes = {} } = await sqs.send(
      new GetQueueAttributesCommand({ QueueUrl: url(queue), AttributeNames: ["All"] }),
    );
    return [
      Attributes.ApproximateNumberOfMessages,
      Attributes.ApproximateNumberOfMessagesNotVisible,
      Attributes.ApproximateNumberOfMessagesDelayed,
    ].map(Number);
  };

  it("hides what was received until the visibility time-out, and counts the receipts", async () => {
    await send("quick", "again");

    const [first] = await receive("quick", { VisibilityTimeout: 4 });
    const hidden = await receive("quick");
    const [second] = await receive("quick", { WaitTimeSeconds: 15 });

    expect(hidden).toEqual([]);
    expect(second?.MessageId).toBe(first?.MessageId);
    expect(second?.Attributes?.ApproximateReceiveCount).toBe("2");
  });

  it("moves dead letters back to the queue that gave them up, as new messages, once", async () => {
    const attributes = { kind: { DataType: "String", StringValue: "load" } };
    await send("dead", "one", { MessageAttributes: attributes });
    await send("dead", "two");

    await sqs.send(new StartMessageMoveTaskCommand({ SourceArn: arn("dead") }));
    await sqs.send(new StartMessageMoveTaskCommand({ SourceArn: arn("dead") }));

    const { Results = [] } = await sqs.send(
      new ListMessageMoveTasksCommand({ SourceArn: arn("dead"), MaxResults: 10 }),
    );
    const moved = Results.map(({ Status, ApproximateNumberOfMessagesMoved }) => [
      Status,
      ApproximateNumberOfMessagesMoved,
    ]);
    expect(moved).toEqual([
      ["COMPLETED", 0],
      ["COMPLETED", 2],
    ]);
    expect(await counts("dead")).toEqual([0, 0, 0]);
    const back = await receive("quick");
    expect(bodies(back)).toEqual(["one", "two"]);
    expect(back.map(({ Attributes }) => Attributes?.ApproximateReceiveCount)).toEqual(["1", "1"]);
    expect(back.find(({ Body }) => Body === "one")?.MessageAttributes).toMatchObject({
      kind: { StringValue: "load" },
    });
  });

  it("moves nothing out of a queue that no other one gives up to", async () => {
    await expect(sqs.send(new StartMessageMoveTaskCommand({ SourceArn: arn("jobs") }))).rejects.toThrow(
      "Dead Letter Queue",
    );
    await expect(sqs.send(new StartMessageMoveTaskCommand({ SourceArn: arn("none") }))).rejects.toThrow(
      "does not exist",
    );
  });

  it("does not delete by a receipt that is no longer the latest", async () => {
    await send("quick", "again");
    const [first] = await receive("quick", { VisibilityTimeout: 0 });
    await receive("quick", { VisibilityTimeout: 0 });

    await sqs.send(new DeleteMessageCommand({ QueueUrl: url("quick"), ReceiptHandle: first?.ReceiptHandle }));

    expect((await counts("quick"))[0]).toBe(1);
  });

  it("shows a message at once when its visibility is set to 0, and refuses a foreign receipt", async () => {
    await send("jobs", "back");
    const [message] = await receive("jobs");
    const change = (ReceiptHandle = "") =>
      sqs.send(
        new ChangeMessageVisibilityCommand({ QueueUrl: url("jobs"), ReceiptHandle, VisibilityTimeout: 0 }),
      );

    await change(message?.ReceiptHandle);

    expect(bodies(await receive("jobs"))).toEqual(["back"]);
    await expect(change("nonsense")).rejects.toMatchObject({ name: "ReceiptHandleIsInvalid" });
  });

  it("moves a message to the dead letters after its last permitted receipt", async () => {
    await send("quick", "poison");
    for (let count = 0; count < 2; count += 1) await receive("quick", { VisibilityTimeout: 0 });

    const third = await receive("quick");

    expect(third).toEqual([]);
    expect(bodies(await receive("dead"))).toEqual(["poison"]);
    expect(await counts("quick")).toEqual([0, 0, 0]);
  });

  it("keeps a delayed message back for its delay", async () => {
    const sent = Date.now();
    await send("jobs", "later", { DelaySeconds: 4 });

    const early = await receive("jobs");
    const delayed = (await counts("jobs"))[2];
    const late = await receive("jobs", { WaitTimeSeconds: 15 });

    expect([early, delayed]).toEqual([[], 1]);
    expect(bodies(late)).toEqual(["later"]);
    expect(Date.now() - sent).toBeGreaterThanOrEqual(4_000);
  });

  // The poll would end by itself only after the test's time.
  it("answers a long poll as soon as something arrives", { timeout: 15_000 }, async () => {
    const waiting = receive("jobs", { WaitTimeSeconds: 20 });
    await sleep(100);

    await send("jobs", "now");

    expect(bodies(await waiting)).toEqual(["now"]);
  });

  it("gives each message to one of many receivers at a time", async () => {
    const waiting = Array.from({ length: 5 }, () =>
      receive("jobs", { MaxNumberOfMessages: 1, WaitTimeSeconds: 20 }),
    );
    await sleep(50);
    const Entries = Array.from({ length: 5 }, (_, index) => ({ Id: `${index}`, MessageBody: `m${index}` }));

    await sqs.send(new SendMessageBatchCommand({ QueueUrl: url("jobs"), Entries }));

    expect(bodies((await Promise.all(waiting)).flat())).toEqual(["m0", "m1", "m2", "m3", "m4"]);
  });

  it("reports per entry what failed in a batch", async () => {
    const { Successful, Failed } = await sqs.send(
      new SendMessageBatchCommand({
        QueueUrl: url("small"),
        Entries: [
          { Id: "fits", MessageBody: "x" },
          { Id: "does-not", MessageBody: "x".repeat(1_025) },
        ],
      }),
    );
    const [message] = await receive("small");
    const deleted = await sqs.send(
      new DeleteMessageBatchCommand({
        QueueUrl: url("small"),
        Entries: [
          { Id: "a", ReceiptHandle: message?.ReceiptHandle },
          { Id: "b", ReceiptHandle: "nonsense" },
        ],
      }),
    );

    expect([Successful?.map((each) => each.Id), Failed?.map((each) => each.Id)]).toEqual([
      ["fits"],
      ["does-not"],
    ]);
    expect([deleted.Successful?.[0]?.Id, deleted.Failed?.[0]?.Id]).toEqual(["a", "b"]);
  });

  it("refuses unknown queues, long messages and wrong numbers by SQS's names", async () => {
    await expect(send("nowhere", "x")).rejects.toMatchObject({ name: "QueueDoesNotExist" });
    await expect(send("small", "x".repeat(1_025))).rejects.toMatchObject({
      name: "InvalidParameterValueException",
    });
    await expect(receive("jobs", { MaxNumberOfMessages: 11 })).rejects.toThrow();
  });

  it("lists, finds and purges queues", async () => {
    await send("jobs", "x");

    const { QueueUrls } = await sqs.send(new ListQueuesCommand({ QueueNamePrefix: "jo" }));
    const { QueueUrl } = await sqs.send(new GetQueueUrlCommand({ QueueName: "dead" }));
    await sqs.send(new PurgeQueueCommand({ QueueUrl: url("jobs") }));

    expect([QueueUrls, QueueUrl]).toEqual([[url("jobs")], url("dead")]);
    expect(await counts("jobs")).toEqual([0, 0, 0]);
  });
});

describe("a local queue after a crash", () => {
  /** Opens what is on disk, while the first store was never closed: that is what `kill -9` leaves behind. */
  const afterCrash = () => openQueueStore(directory, declared);

  it("has every acknowledged message, and none that was deleted", async () => {
    const entries = Array.from({ length: 50 }, (_, index) => send("jobs", `m${index}`));
    await Promise.all(entries);
    const [first] = await receive("jobs", { MaxNumberOfMessages: 1 });
    await sqs.send(new DeleteMessageCommand({ QueueUrl: url("jobs"), ReceiptHandle: first?.ReceiptHandle }));

    const reopened = await afterCrash();

    const found = [...reopened.named("jobs").messages()].map((message) => message.body);
    expect(found).toHaveLength(49);
    expect(found).not.toContain(first?.Body);
    await reopened.close();
  });

  it("still hides what a client had received, and ignores a half-written last line", async () => {
    await send("jobs", "held by a client");
    const [message] = await receive("jobs");
    appendFileSync(join(directory, "queues.jsonl"), '{"queue":"jobs","drop":"');

    const reopened = await afterCrash();
    const queue = reopened.named("jobs");

    expect(await queue.receive({ max: 10 })).toEqual([]);
    await queue.delete(message?.ReceiptHandle ?? "");
    expect([...queue.messages()]).toEqual([]);
    await reopened.close();
  });

  it("shows at once what a function held, and does not count that attempt", async () => {
    await send("jobs", "half done");
    await store.named("jobs").receive({ max: 1, held: true });

    const reopened = await afterCrash();

    expect(await reopened.named("jobs").receive({ max: 1 })).toMatchObject([
      { body: "half done", receiveCount: 1 },
    ]);
    await reopened.close();
  });
});

describe("a queue that feeds a function", () => {
  const aSource = (facts: Partial<QueueSourceFacts>): QueueSourceFacts => ({
    logicalId: "Source",
    functionArn: "fn",
    queueArn: arn("quick"),
    batchSize: 10,
    batchingWindowSeconds: 0,
    reportsItemFailures: true,
    maximumConcurrency: 2,
    filters: [],
    ...facts,
  });
  interface SqsEvent {
    readonly Records: readonly { messageId: string; body: string; attributes: Record<string, string> }[];
  }
  const feed = (queue: string, run: (event: SqsEvent) => Promise<unknown>, facts = {}) =>
    startQueueSource({
      facts: aSource(facts),
      queue: store.named(queue),
      region: "us-east-1",
      invoke: (_, event) => run(JSON.parse(event)),
    });
  const left = (queue: string) => [...store.named(queue).messages()].map((message) => message.body);

  it("deletes what succeeded and brings what failed again, until it is a dead letter", async () => {
    const seen: string[] = [];
    const source = feed("quick", async ({ Records }) => {
      seen.push(...Records.map(({ body, attributes }) => `${body}/${attributes.ApproximateReceiveCount}`));
      const failed = Records.filter(({ body }) => body === "bad");
      return { batchItemFailures: failed.map(({ messageId }) => ({ itemIdentifier: messageId })) };
    });

    await Promise.all([send("quick", "good"), send("quick", "bad")]);
    await expect.poll(() => left("dead"), patience).toEqual(["bad"]);

    expect(seen.sort()).toEqual(["bad/1", "bad/2", "good/1"]);
    expect(left("quick")).toEqual([]);
    await source.stop();
  });

  it("brings the whole batch again when the function throws", async () => {
    let attempts = 0;
    const source = feed("quick", async () => {
      attempts += 1;
      if (attempts === 1) throw new FunctionError("Error", "no luck");
      return null;
    });

    await send("quick", "twice");
    await expect.poll(() => attempts, patience).toBe(2);
    await expect.poll(() => left("quick"), patience).toEqual([]);

    await source.stop();
  });

  it.each([
    ["is no list", { batchItemFailures: "all" }],
    ["names what was not in the batch", { batchItemFailures: [{ itemIdentifier: "unknown" }] }],
    ["names nothing", { batchItemFailures: [{ itemIdentifier: "" }] }],
  ])("takes everything for failed when the report %s", async (_, report) => {
    let invoked = 0;
    const source = feed("quick", async () => {
      invoked += 1;
      return report;
    });

    await send("quick", "kept");
    await expect.poll(() => invoked, patience).toBe(1);
    await source.stop();

    expect(left("quick")).toEqual(["kept"]);
  });

  it("never runs more batches at once than permitted", async () => {
    let running = 0;
    let most = 0;
    let done = 0;
    const source = feed(
      "jobs",
      async () => {
        running += 1;
        most = Math.max(most, running);
        await sleep(20);
        running -= 1;
        done += 1;
        return null;
      },
      { batchSize: 1, maximumConcurrency: 3 },
    );

    await Promise.all(Array.from({ length: 12 }, (_, index) => send("jobs", `m${index}`)));
    await expect.poll(() => done, patience).toBe(12);

    expect(most).toBe(3);
    await source.stop();
  });

  it("drops without a call what no filter lets pass", async () => {
    const seen: string[] = [];
    const source = feed(
      "jobs",
      async ({ Records }) => {
        seen.push(...Records.map((record) => record.body));
        return null;
      },
      { filters: [{ body: { kind: ["load"] } }] },
    );

    await Promise.all([send("jobs", '{"kind":"load"}'), send("jobs", '{"kind":"other"}')]);
    await expect.poll(() => left("jobs"), patience).toEqual([]);

    expect(seen).toEqual(['{"kind":"load"}']);
    await source.stop();
  });
});
