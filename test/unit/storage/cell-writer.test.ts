import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { AdaptiveConcurrency } from "../../../shared/storage/adaptive-concurrency.ts";
import type { CellWriting } from "../../../shared/storage/cell-writer.ts";
import { newCellItem } from "../../../shared/storage/cells.ts";
import {
  answer,
  exception,
  type Reply,
  type ScriptedDynamoDb,
  startScriptedDynamoDb,
} from "../../support/scripted-dynamodb.ts";

process.env.TABLE_NAME = "codewell";

interface Put {
  readonly PutRequest: { readonly Item: { readonly sk: { readonly S: string } } };
}
type Input = Readonly<Record<string, unknown>>;

const cells = (count: number) =>
  Array.from({ length: count }, (_, cell) =>
    newCellItem("pcd_1", { generation: 1, attempt: 3, shard: 0, cell }, [`A${cell}`, `B${cell}`]),
  );

const putsOf = ({ RequestItems }: Input) => (RequestItems as { readonly codewell: readonly Put[] }).codewell;
const sortKeys = (puts: readonly Put[]) => puts.map(({ PutRequest }) => PutRequest.Item.sk.S);
const unprocessed = (puts: readonly Put[]) => answer(200, { UnprocessedItems: { codewell: puts } });
const success = answer(200, { UnprocessedItems: {} });

describe("writing cells", () => {
  let dynamoDb: ScriptedDynamoDb;
  let writeCells: typeof import("../../../shared/storage/cell-writer.ts").writeCells;

  beforeAll(async () => {
    dynamoDb = await startScriptedDynamoDb(success);
    ({ writeCells } = await import("../../../shared/storage/cell-writer.ts"));
  });
  beforeEach(() => dynamoDb.reset());
  afterAll(() => dynamoDb.close());

  const write = (count: number, writing: Partial<CellWriting> = {}) =>
    writeCells(cells(count), { signal: new AbortController().signal, settleMs: 0, ...writing });
  const batches = () => dynamoDb.received.map((body) => putsOf(JSON.parse(body)));

  it("puts 25 in a request and none twice", async () => {
    let written = 0;

    await write(60, { onWritten: (count) => (written += count) });

    expect(
      batches()
        .map((batch) => batch.length)
        .sort(),
    ).toEqual([10, 25, 25]);
    expect(new Set(batches().flatMap(sortKeys)).size).toBe(60);
    expect(written).toBe(60);
    const second = batches()
      .flat()
      .find(({ PutRequest }) => PutRequest.Item.sk.S === "01");
    expect(second?.PutRequest.Item).toEqual({
      pk: { S: "c#pcd_1#1#3#0" },
      sk: { S: "01" },
      k: { N: "2" },
      c: { S: "A1\nB1" },
      u: { L: [] },
      t: { L: [] },
    });
  });

  it("sends again what DynamoDB left unprocessed, and only that", async () => {
    const left =
      (from: number): Reply =>
      (response, input, request) =>
        unprocessed(putsOf(input).slice(from))(response, input, request);
    dynamoDb.next = [left(10), left(10)];
    const written: number[] = [];

    await write(25, { onWritten: (count) => written.push(count) });

    expect(batches().map((batch) => batch.length)).toEqual([25, 15, 5]);
    expect(sortKeys(batches()[2]!)).toEqual(sortKeys(batches()[0]!).slice(20));
    expect(written).toEqual([10, 10, 5]);
  });

  it("waits ten seconds for an answer: to send it again would mean to wait for the first one to take effect", async () => {
    dynamoDb.next = [
      async (...request) => {
        await sleep(4_500);
        await success(...request);
      },
    ];

    await write(3);

    expect(batches()).toHaveLength(1);
  });

  it("tries again when it is throttled or gets no answer", async () => {
    dynamoDb.next = [
      exception(400, "ThrottlingException"),
      (_, __, request) => void request.socket.resetAndDestroy(),
    ];

    await write(3);

    expect(batches().map((batch) => batch.length)).toEqual([3, 3, 3]);
  });

  it.each<[string, Reply]>([
    ["that was never answered", (_, __, request) => void request.socket.destroy()],
    ["of which DynamoDB says that something broke", exception(500, "InternalServerError")],
  ])("waits for a request %s to take effect, before anyone may rely on the cells", async (_, trouble) => {
    dynamoDb.next = [trouble];
    const begun = performance.now();

    await write(3, { settleMs: 400 });

    expect(performance.now() - begun).toBeGreaterThanOrEqual(390);
  });

  it("does not wait after an answer that says no", async () => {
    dynamoDb.next = [exception(400, "ThrottlingException")];

    // Far longer than a test may take.
    await write(3, { settleMs: 600_000 });

    expect(batches()).toHaveLength(2);
  });

  it("takes a success for none that does not tell what is unprocessed", async () => {
    dynamoDb.next = [answer(200, {})];

    await write(3);

    expect(batches()).toHaveLength(2);
  });

  it("gives up when there is nothing but trouble for too long, and says which", async () => {
    dynamoDb.otherwise = exception(500, "InternalServerError", { message: "a disk is broken" });

    await expect(write(3, { patienceMs: 60 })).rejects.toMatchObject({
      message: "DynamoDB has taken no cell for 0.06 seconds",
      cause: { message: "a disk is broken" },
    });
  });

  it("gives up when nothing is taken for too long", async () => {
    dynamoDb.otherwise = (response, input, request) => unprocessed(putsOf(input))(response, input, request);

    await expect(write(30, { patienceMs: 60 })).rejects.toThrow(
      "DynamoDB has taken no cell for 0.06 seconds",
    );
  });

  it("leaves when it is told to, though DynamoDB still refuses, and tells how far it came without a gap", async () => {
    let calls = 0;
    dynamoDb.otherwise = (response, input, request) => {
      const puts = putsOf(input);
      calls += 1;
      const isThird = sortKeys(puts).includes("4a");
      (isThird ? unprocessed(puts.slice(1)) : success)(response, input, request);
    };

    const written = await write(200, { goOn: () => calls < 11 });

    expect(written).toBe(50);
    expect(new Set(batches().flatMap(sortKeys)).size).toBe(200);
  });

  it("pulls nothing any more once it is told to leave, and writes what it pulled", async () => {
    let looks = 0;

    const written = await write(200, { goOn: () => ++looks <= 3 });

    expect(written).toBe(75);
    expect(batches().flatMap(sortKeys)).toHaveLength(75);
  });

  it("does not try again what cannot succeed", async () => {
    dynamoDb.otherwise = exception(400, "ResourceNotFoundException", { message: "no such table" });

    await expect(write(3)).rejects.toThrow("no such table");
    expect(batches()).toHaveLength(1);
  });

  it("begins no request any more once it is aborted", async () => {
    const lost = new AbortController();
    dynamoDb.otherwise = (response, input, request) => {
      lost.abort(new Error("the lock is lost"));
      return success(response, input, request);
    };

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
