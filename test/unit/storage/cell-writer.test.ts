import { ResourceNotFoundException, ThrottlingException } from "@aws-sdk/client-dynamodb";
import {
  BatchWriteCommand,
  type BatchWriteCommandInput,
  DynamoDBDocumentClient,
} from "@aws-sdk/lib-dynamodb";
import { mockClient } from "aws-sdk-client-mock";
import { beforeEach, describe, expect, it } from "vitest";
import { AdaptiveConcurrency } from "../../../shared/storage/adaptive-concurrency.ts";
import { type CellWriting, writeCells } from "../../../shared/storage/cell-writer.ts";
import { newCellItem } from "../../../shared/storage/cells.ts";

process.env.TABLE_NAME = "codewell";
const dynamoDb = mockClient(DynamoDBDocumentClient);
const metadata = { $metadata: {}, message: "" };

const cells = (count: number) =>
  Array.from({ length: count }, (_, cell) =>
    newCellItem("pcd_1", { generation: 1, attempt: 3, shard: 0, cell }, [`A${cell}`, `B${cell}`]),
  );

const write = (count: number, writing: Partial<CellWriting> = {}) =>
  writeCells(cells(count), { signal: new AbortController().signal, settleMs: 0, ...writing });

const putsOf = ({ RequestItems }: BatchWriteCommandInput) => RequestItems?.codewell ?? [];
const batches = () => dynamoDb.commandCalls(BatchWriteCommand).map(({ args }) => putsOf(args[0].input));
const sortKeys = (puts: ReturnType<typeof putsOf>) => puts.map(({ PutRequest }) => PutRequest?.Item?.sk);

describe("writing cells", () => {
  beforeEach(() => dynamoDb.reset());

  it("puts 25 in a request and none twice", async () => {
    dynamoDb.on(BatchWriteCommand).resolves({});
    let written = 0;

    await write(60, { onWritten: (count) => (written += count) });

    expect(batches().map((batch) => batch.length)).toEqual([25, 25, 10]);
    expect(new Set(batches().flatMap(sortKeys)).size).toBe(60);
    expect(written).toBe(60);
    expect(batches()[0]?.[1]?.PutRequest?.Item).toEqual({
      pk: "c#pcd_1#1#3#0",
      sk: "01",
      k: 2,
      c: "A1\nB1",
      u: [],
      t: [],
    });
  });

  it("sends again what DynamoDB left unprocessed, and only that", async () => {
    let calls = 0;
    dynamoDb.on(BatchWriteCommand).callsFake((input: BatchWriteCommandInput) => {
      calls += 1;
      return calls <= 2 ? { UnprocessedItems: { codewell: putsOf(input).slice(0, 25 - calls * 10) } } : {};
    });
    const written: number[] = [];

    await write(25, { onWritten: (count) => written.push(count) });

    expect(batches().map((batch) => batch.length)).toEqual([25, 15, 5]);
    expect(written).toEqual([10, 10, 5]);
  });

  it("tries again when it is throttled", async () => {
    dynamoDb
      .on(BatchWriteCommand)
      .rejectsOnce(new ThrottlingException(metadata))
      .rejectsOnce(Object.assign(new Error("socket hang up"), { code: "ECONNRESET" }))
      .resolves({});

    await write(3);

    expect(batches().map((batch) => batch.length)).toEqual([3, 3, 3]);
  });

  it("waits for a request that was never answered to take effect, before anyone may rely on the cells", async () => {
    dynamoDb
      .on(BatchWriteCommand)
      .rejectsOnce(Object.assign(new Error("no answer"), { name: "TimeoutError" }))
      .resolves({});
    const begun = performance.now();

    await write(3, { settleMs: 400 });

    expect(performance.now() - begun).toBeGreaterThanOrEqual(390);
  });

  it("does not wait after an answer that says no", async () => {
    dynamoDb
      .on(BatchWriteCommand)
      .rejectsOnce(new ThrottlingException({ ...metadata, $metadata: { httpStatusCode: 400 } }))
      .resolves({});

    // Far longer than a test may take.
    await write(3, { settleMs: 600_000 });

    expect(batches()).toHaveLength(2);
  });

  it("gives up when nothing is taken for too long", async () => {
    dynamoDb.on(BatchWriteCommand).callsFake((input: BatchWriteCommandInput) => ({
      UnprocessedItems: { codewell: putsOf(input) },
    }));

    await expect(write(30, { patienceMs: 60 })).rejects.toThrow(
      "DynamoDB has taken no cell for 0.06 seconds",
    );
  });

  it("leaves when it is told to, though DynamoDB still refuses, and tells how far it came without a gap", async () => {
    let calls = 0;
    dynamoDb.on(BatchWriteCommand).callsFake((input: BatchWriteCommandInput) => {
      const isThird = sortKeys(putsOf(input)).includes("4a");
      calls += 1;
      return isThird ? { UnprocessedItems: { codewell: putsOf(input).slice(1) } } : {};
    });

    const written = await write(200, { goOn: () => calls < 11 });

    expect(written).toBe(50);
    expect(new Set(batches().flatMap(sortKeys)).size).toBe(200);
  });

  it("pulls nothing any more once it is told to leave, and writes what it pulled", async () => {
    dynamoDb.on(BatchWriteCommand).resolves({});
    let looks = 0;

    const written = await write(200, { goOn: () => ++looks <= 3 });

    expect(written).toBe(75);
    expect(batches().flatMap(sortKeys)).toHaveLength(75);
  });

  it("does not try again what cannot succeed", async () => {
    dynamoDb.on(BatchWriteCommand).rejects(new ResourceNotFoundException(metadata));

    await expect(write(3)).rejects.toThrow(ResourceNotFoundException);
    expect(batches()).toHaveLength(1);
  });

  it("begins no request any more once it is aborted", async () => {
    const lost = new AbortController();
    dynamoDb.on(BatchWriteCommand).callsFake(async () => {
      lost.abort(new Error("the lock is lost"));
      return {};
    });

    await expect(write(25 * 100, { signal: lost.signal })).rejects.toThrow("the lock is lost");
    expect(batches().length).toBeLessThan(20);
  });
});

describe("adaptive concurrency", () => {
  it("grows by one in a round, up to 64, and shrinks by a third at a refusal, once for all that fail together", () => {
    const concurrency = new AdaptiveConcurrency();
    expect(concurrency.limit).toBe(8);
    for (let request = 0; request < 9; request++) concurrency.succeeded(20, 0);
    expect(concurrency.limit).toBe(9);
    for (let request = 0; request < 5_000; request++) concurrency.succeeded(20, 0);
    expect(concurrency.limit).toBe(64);

    concurrency.throttled(1_000);
    concurrency.throttled(1_001);
    expect(concurrency.limit).toBe(42);
    for (let refusal = 2; refusal < 50; refusal++) concurrency.throttled(refusal * 1_000);
    expect(concurrency.limit).toBe(1);
  });

  it("shrinks when answers become slow: others are waiting behind them", () => {
    const concurrency = new AdaptiveConcurrency();

    concurrency.succeeded(2_000, 1_000);
    concurrency.succeeded(2_000, 1_001);
    expect(concurrency.limit).toBe(5);
    concurrency.succeeded(2_000, 2_000);
    expect(concurrency.limit).toBe(3);
  });
});
