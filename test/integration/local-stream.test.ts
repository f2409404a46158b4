import { mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DynamoDBClient, PutItemCommand } from "@aws-sdk/client-dynamodb";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type DynamoDbEngine, startDynoxide } from "../../local/dynamodb/engine.ts";
import { ensureTable } from "../../local/dynamodb/tables.ts";
import { openCheckpoints } from "../../local/events/checkpoints.ts";
import { eventFilter } from "../../local/events/event-filter.ts";
import type { EventSource } from "../../local/events/queue-source.ts";
import { batchDelivery } from "../../local/events/stream-batch.ts";
import { StreamReader } from "../../local/events/stream-reader.ts";
import { startStreamSource } from "../../local/events/stream-source.ts";
import { FunctionError } from "../../local/functions/function-error.ts";
import { openQueueStore, type QueueStore } from "../../local/queues/queue-store.ts";
import type { StreamSourceFacts, TableFacts } from "../../local/template/facts.ts";
import { engines } from "../support/engines.ts";

/** What may take a moment, and longer on a machine that is slow. */
const patience = { timeout: 30_000 };

interface StreamEvent {
  readonly Records: readonly {
    readonly eventName: string;
    readonly eventSourceARN: string;
    readonly dynamodb: {
      readonly ApproximateCreationDateTime: number;
      readonly SequenceNumber: string;
      readonly NewImage: { readonly sk: { readonly S: string }; readonly bytes: { readonly B: string } };
    };
  }[];
  readonly shardId?: string;
  readonly window?: { readonly start: string; readonly end: string };
  readonly state?: Record<string, unknown>;
  readonly isFinalInvokeForWindow?: boolean;
}

const keysOf = (event: StreamEvent) => event.Records.map((record) => record.dynamodb.NewImage.sk.S);

const aTable = (name: string): TableFacts => ({
  logicalId: "Table",
  name,
  arn: "",
  streamArn: "",
  keySchema: [
    { AttributeName: "pk", KeyType: "HASH" },
    { AttributeName: "sk", KeyType: "RANGE" },
  ],
  attributes: [
    { AttributeName: "pk", AttributeType: "S" },
    { AttributeName: "sk", AttributeType: "S" },
  ],
  globalIndexes: [],
  localIndexes: [],
  streamViewType: "NEW_AND_OLD_IMAGES",
  ttlAttribute: "expiresAt",
});

describe.each(engines)("a table's stream on $name", (engineUnderTest) => {
  let engine: DynamoDbEngine;
  let client: DynamoDBClient;
  let queues: QueueStore;
  let tableName: string;
  let streamArn: string;
  let directory: string;
  let sources: EventSource[] = [];
  let tables = 0;

  beforeAll(async () => {
    engine = await engineUnderTest.start();
    client = new DynamoDBClient(engine);
  });
  afterAll(async () => {
    client.destroy();
    await engine.close();
  });
  beforeEach(async () => {
    tables += 1;
    tableName = `stream-${tables}`;
    directory = mkdtempSync(join(tmpdir(), "stream-"));
    const table = await ensureTable(engine, aTable(tableName));
    streamArn = table.streamArn ?? "";
    queues = await openQueueStore(directory, [
      {
        logicalId: "Dead",
        name: "dead",
        arn: "arn:dead",
        visibilityTimeoutSeconds: 30,
        retentionSeconds: 3_600,
        delaySeconds: 0,
        maxMessageBytes: 1_048_576,
        receiveWaitSeconds: 0,
      },
    ]);
  });
  afterEach(async () => {
    await Promise.all(sources.map((source) => source.stop()));
    sources = [];
    await queues.close();
  });

  const putInto = (partition: string, key: string) =>
    client.send(
      new PutItemCommand({
        TableName: tableName,
        Item: { pk: { S: partition }, sk: { S: key }, bytes: { B: new Uint8Array([1, 2, 3]) } },
      }),
    );
  /** Into one partition, which is in one shard: only there an order is promised. */
  const put = async (...keys: string[]) => {
    for (const key of keys) await putInto("p", key);
  };
  const feed = (
    run: (event: StreamEvent) => unknown,
    changes: Partial<StreamSourceFacts> = {},
  ): EventSource => {
    const facts: StreamSourceFacts = {
      logicalId: "Source",
      functionArn: "fn",
      streamArn,
      batchSize: 100,
      batchingWindowSeconds: 0,
      tumblingWindowSeconds: 0,
      reportsItemFailures: false,
      bisectsOnError: false,
      maximumRetries: Infinity,
      maximumRecordAgeSeconds: Infinity,
      filters: [],
      ...changes,
    };
    const source = startStreamSource({
      facts,
      streamArn,
      reader: new StreamReader(engine),
      checkpoints: openCheckpoints(join(directory, "checkpoints.json")),
      idleMs: 20,
      deliver: batchDelivery({
        facts,
        streamArn,
        region: "us-east-1",
        invoke: async (_, event) => run(JSON.parse(event)),
        onFailure: queues.named("dead"),
      }),
    });
    sources.push(source);
    return source;
  };
  const numbered = (count: number, from = 0) =>
    Array.from({ length: count }, (_, index) => `k${from + index}`);

  it("comes in the order of the writes, in the form that Lambda gives to functions", async () => {
    const events: StreamEvent[] = [];
    feed((event) => void events.push(event));

    await put(...numbered(20));
    await expect.poll(() => events.flatMap(keysOf), patience).toHaveLength(20);

    expect(events.flatMap(keysOf)).toEqual(numbered(20));
    const [record] = events[0]?.Records ?? [];
    expect(record).toMatchObject({ eventName: "INSERT", eventSourceARN: streamArn });
    expect(record?.dynamodb.NewImage.bytes.B).toBe("AQID");
    expect(Math.abs((record?.dynamodb.ApproximateCreationDateTime ?? 0) - Date.now() / 1_000)).toBeLessThan(
      30,
    );
  });

  it("comes from all partitions, however many shards they are in", async () => {
    const seen: string[] = [];
    feed((event) => void seen.push(...keysOf(event)));

    await Promise.all(numbered(40).map((key) => putInto(key, key)));
    await expect.poll(() => seen, patience).toHaveLength(40);

    expect(seen.sort()).toEqual(numbered(40).sort());
  });

  it("repeats a failed batch before anything later, and a batch has no more than its size", async () => {
    const seen: string[][] = [];
    await put(...numbered(7));
    feed(
      (event) => {
        seen.push(keysOf(event));
        if (seen.length <= 2) throw new FunctionError("Error", "no luck");
      },
      { batchSize: 3 },
    );

    await expect.poll(() => seen.flat(), patience).toContain("k6");

    expect(seen).toEqual([
      ["k0", "k1", "k2"],
      ["k0", "k1", "k2"],
      ["k0", "k1", "k2"],
      ["k3", "k4", "k5"],
      ["k6"],
    ]);
  });

  it("goes on where it was after a restart, and repeats what was not done", async () => {
    const before: string[] = [];
    // How the records fall into batches is a matter of when they are read.
    const done: string[] = [];
    const first = feed(
      (event) => {
        before.push(...keysOf(event));
        if (before.length > 2) throw new FunctionError("Error", "down");
        done.push(...keysOf(event));
      },
      { batchSize: 2 },
    );
    await put(...numbered(4));
    await expect.poll(() => before.length, patience).toBeGreaterThan(2);
    await first.stop();

    const after: string[] = [];
    feed((event) => void after.push(...keysOf(event)));
    await put(...numbered(1, 4));

    const notDone = ["k0", "k1", "k2", "k3", "k4"].filter((key) => !done.includes(key));
    await expect.poll(() => after, patience).toEqual(notDone);
    expect(done.length).toBeGreaterThan(0);
  });

  it("brings only what a filter lets pass", async () => {
    const seen: string[] = [];
    feed((event) => void seen.push(...keysOf(event)), {
      filters: [{ eventName: ["INSERT"], dynamodb: { Keys: { sk: { S: [{ prefix: "k1" }] } } } }],
    });

    await put("k1", "other", "k1", "k12", "last");
    await expect.poll(() => seen, patience).toContain("k12");

    // The second write of k1 is a MODIFY.
    expect(seen).toEqual(["k1", "k12"]);
  });

  it("finds the poison by halves, sends its place to the dead letters, and does the rest", async () => {
    const done: string[] = [];
    await put("k0", "k1", "poison", "k3");
    feed(
      (event) => {
        if (keysOf(event).includes("poison")) throw new FunctionError("Error", "poison");
        done.push(...keysOf(event));
      },
      { bisectsOnError: true, maximumRetries: 1 },
    );

    await expect.poll(() => done, patience).toEqual(["k0", "k1", "k3"]);

    const [letter] = await queues.named("dead").receive({ max: 10 });
    expect(JSON.parse(letter?.body ?? "{}")).toMatchObject({
      requestContext: { condition: "RetryAttemptsExhausted", approximateInvokeCount: 2 },
      DDBStreamBatchInfo: { batchSize: 1, streamArn },
    });
  });

  it("goes on at the first record that a function reports as failed", async () => {
    const seen: string[][] = [];
    await put(...numbered(3));
    feed(
      (event) => {
        seen.push(keysOf(event));
        const second = event.Records[1]?.dynamodb.SequenceNumber;
        return seen.length === 1 ? { batchItemFailures: [{ itemIdentifier: second }] } : null;
      },
      { reportsItemFailures: true },
    );

    await expect
      .poll(() => seen, patience)
      .toEqual([
        ["k0", "k1", "k2"],
        ["k1", "k2"],
      ]);
  });

  it("carries a state through a tumbling window and ends it with a call of its own", async () => {
    const events: StreamEvent[] = [];
    feed(
      (event) => {
        events.push(event);
        return { state: { count: Number(event.state?.count ?? 0) + event.Records.length } };
      },
      { tumblingWindowSeconds: 1, batchSize: 2 },
    );

    await put(...numbered(6));
    const finals = () => events.filter((event) => event.isFinalInvokeForWindow);
    const counted = () => finals().reduce((sum, event) => sum + Number(event.state?.count), 0);
    await expect.poll(counted, patience).toBe(6);

    expect(events[0]?.shardId).toMatch(/^shardId-/);
    expect(finals().every((event) => event.Records.length === 0)).toBe(true);
    const [first] = events;
    expect(Date.parse(first?.window?.end ?? "") - Date.parse(first?.window?.start ?? "")).toBe(1_000);
  });

  it("takes an answer without a state for a failure in a tumbling window", async () => {
    let attempts = 0;
    await put("k0");
    feed(
      () => {
        attempts += 1;
        return attempts === 1 ? {} : { state: {} };
      },
      { tumblingWindowSeconds: 1 },
    );

    await expect.poll(() => attempts, patience).toBeGreaterThanOrEqual(2);
  });
});

describe("dynoxide with a directory", () => {
  it("begins with a database that has an index over the stream, and keeps it", async () => {
    const directory = mkdtempSync(join(tmpdir(), "dynoxide-"));

    const first = await startDynoxide({ directory });
    await ensureTable(first, aTable("kept"));
    await first.close();
    const second = await startDynoxide({ directory });
    const again = await ensureTable(second, aTable("kept"));
    await second.close();

    expect(again.created).toBe(false);
    expect(readFileSync(join(directory, "dynamodb.sqlite")).includes("codewell_stream")).toBe(true);
  });
});

describe("an event filter", () => {
  const event = {
    eventName: "MODIFY",
    dynamodb: { Keys: { pk: { S: "c#1" } }, NewImage: { n: { N: "1" } } },
  };
  it.each([
    [[], true],
    [[{ eventName: ["INSERT"] }], false],
    [[{ eventName: ["INSERT"] }, { eventName: ["MODIFY"] }], true],
    [[{ eventName: ["INSERT", "MODIFY"], dynamodb: { Keys: { pk: { S: [{ prefix: "x" }] } } } }], false],
    [[{ dynamodb: { Keys: { pk: { S: [{ prefix: "x" }, { suffix: "1" }] } } } }], true],
    [[{ dynamodb: { NewImage: { gone: [{ exists: false }] } } }], true],
    [[{ dynamodb: { OldImage: { n: [{ exists: true }] } } }], false],
    [[{ eventName: [{ "anything-but": ["REMOVE", "INSERT"] }] }], true],
    [[{ eventName: [{ "anything-but": "MODIFY" }] }], false],
  ])("with %j lets it pass: %s", (patterns, expected) => {
    expect(eventFilter(patterns)(event)).toBe(expected);
  });

  it("refuses at the start a condition that is not imitated", () => {
    expect(() => eventFilter([{ a: [{ numeric: [">", 1] }] }])).toThrow(/numeric.*not imitated/);
  });
});
