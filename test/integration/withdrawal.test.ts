import { SendMessageCommand, SQSClient } from "@aws-sdk/client-sqs";
import { PutCommand } from "@aws-sdk/lib-dynamodb";
import { mockClient } from "aws-sdk-client-mock";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { DynamoDbEngine } from "../../local/dynamodb/engine.ts";
import type { PersonalizedPromocode } from "../../shared/domain/promocode.ts";
import type { Cell } from "../../shared/pool/cell.ts";
import type { Generation } from "../../shared/pool/generation.ts";
import { engines } from "../support/engines.ts";
import { jobLinesOf } from "../support/job-lines.ts";
import { createTable } from "../support/table.ts";

const sqs = mockClient(SQSClient);

const loadModules = async () => ({
  ...(await import("../support/pool.ts")),
  ...(await import("../../shared/storage/client.ts")),
  ...(await import("../../shared/storage/cells.ts")),
  ...(await import("../../shared/storage/code-files.ts")),
  ...(await import("../../shared/storage/generations.ts")),
  ...(await import("../../shared/storage/pool-store.ts")),
  ...(await import("../../shared/storage/table.ts")),
  ...(await import("../../shared/pool/withdrawal.ts")),
  ...(await import("../../shared/pool/fullness.ts")),
  ...(await import("../../shared/pool/pool.ts")),
  ...(await import("../../shared/pool/hash.ts")),
  seal: (await import("../../functions/seal-code-file/handler.ts")).handler,
});

const stamp = { at: Date.UTC(2026, 10, 23), contextId: "" };

describe.each(engines)("withdrawal on $name", ({ start }) => {
  let engine: DynamoDbEngine;
  let service: Awaited<ReturnType<typeof loadModules>>;
  beforeAll(async () => {
    process.env.WITHDRAWALS_QUEUE_URL = "http://127.0.0.1:1/withdrawals";
    engine = await start();
    await createTable(engine);
    service = await loadModules();
  });
  beforeEach(() => {
    sqs.reset();
    sqs.on(SendMessageCommand).resolves({});
  });
  afterAll(async () => {
    sqs.restore();
    await engine.close();
  });

  const aPool = async (codes: number) => {
    const promocode: PersonalizedPromocode = await service.publish(
      await service.aPromocode(),
      service.someCodes(codes),
    );
    const { promocodeId } = promocode;
    const [generation] = await service.generationsOf(promocodeId);
    if (!generation) throw new Error("the file is there");
    return { promocode, promocodeId, generation, store: service.dynamoPoolStore(promocodeId) };
  };
  const cellsOf = async (promocodeId: string, generation: Generation): Promise<readonly Cell[]> => {
    const cells: Cell[] = [];
    for (let shard = 0; shard < generation.shards; shard += 1)
      for await (const page of service.cellsOfShard(promocodeId, generation, shard)) cells.push(...page);
    return cells;
  };
  const holdersIn = (cells: readonly Cell[]) =>
    new Map(cells.flatMap(({ codes, tokens }) => tokens.map((token, slot) => [token, codes[slot]] as const)));
  const isSealed = ({ capacity, tokens }: Cell) => capacity === tokens.length;

  it("leaves every cell with the capacity of its holders, and no code that was given is lost", async () => {
    const { promocodeId, generation, store } = await aPool(600);
    const given = new Map<string, string | undefined>();
    let refused = 0;
    let asked = 0;
    let isWithdrawn = false;
    let saySo = () => {};
    const someAreGiven = new Promise<void>((resolve) => {
      saySo = resolve;
    });
    // They begin before the withdrawal does, and each asks once more after its end.
    const allocateMeanwhile = async () => {
      for (let isLast = false; !isLast; ) {
        isLast = isWithdrawn;
        const index = asked++;
        const address = {
          generation: 1,
          attempt: 1,
          shard: index % generation.shards,
          cell: Math.floor(index / generation.shards) % generation.cellsPerShard,
        };
        const customerId = `customer-${index}`;
        const { outcome, cell } = await store.append(address, [
          { holder: { customerId, trigger: null }, stamp },
        ]);
        if (outcome === "appended") given.set(customerId, cell.codes[cell.tokens.indexOf(customerId)]);
        else refused += 1;
        if (given.size === 50) saySo();
      }
    };

    const allocations = Promise.all(Array.from({ length: 16 }, allocateMeanwhile));
    await someAreGiven;
    await service.withdraw(store, generation);
    const rightAfter = await cellsOf(promocodeId, generation);
    isWithdrawn = true;
    await allocations;

    const cells = await cellsOf(promocodeId, generation);
    expect(rightAfter.every(isSealed)).toBe(true);
    expect(cells.every(isSealed)).toBe(true);
    expect(holdersIn(cells)).toEqual(given);
    expect(given.size).toBeGreaterThanOrEqual(50);
    expect(refused).toBeGreaterThanOrEqual(16);
  });

  it("gives out nothing any more, also to a process that knows nothing of it", async () => {
    const { promocode, generation, store } = await aPool(300);

    await service.withdraw(store, generation);

    const pool = service.newPool({
      store,
      salt: service.parseSalt(promocode.salt),
      generations: [generation],
    });
    expect(await service.pickAny(pool, [generation])).toBeUndefined();
  });

  const aFile = async (promocodeId: string, fileId: string) => {
    const file = await service.codeFiles.create({
      fileId,
      promocodeId,
      fileName: "codes.csv",
      source: "drop",
      objectKey: "promocodes/p/codes.csv",
      versionId: null,
      createdAt: "2026-11-23T09:00:00.000Z",
    });
    await service.dynamoDb.send(
      new PutCommand({
        TableName: service.tableName(),
        Item: { ...service.keys.codeFile(promocodeId, fileId), ...file, status: "withdrawing" },
      }),
    );
  };
  const deliver = (file: object, timeLeftMs = 900_000) =>
    service.seal(
      {
        Records: [
          {
            messageId: "message-1",
            body: JSON.stringify(file),
            attributes: { ApproximateReceiveCount: "1" },
          },
        ],
      },
      { getRemainingTimeInMillis: () => timeLeftMs },
    );

  it("ends with the file withdrawn, and a message that comes again changes nothing", async () => {
    const { promocodeId, generation } = await aPool(100);
    const file = { promocodeId, fileId: generation.fileId };
    await aFile(promocodeId, generation.fileId);

    const answers = [await deliver(file), await deliver(file)];

    expect(answers).toEqual([{ batchItemFailures: [] }, { batchItemFailures: [] }]);
    expect((await service.codeFiles.get(file)).status).toBe("withdrawn");
    expect((await cellsOf(promocodeId, generation)).every(isSealed)).toBe(true);
  });

  it("queues the rest of the work when its time is nearly over", async () => {
    const { promocodeId, generation } = await aPool(100);
    const file = { promocodeId, fileId: generation.fileId };
    await aFile(promocodeId, generation.fileId);

    await deliver(file, 20_000);

    expect((await service.codeFiles.get(file)).status).toBe("withdrawing");
    expect(sqs.commandCalls(SendMessageCommand).map((call) => call.args[0].input)).toEqual([
      { QueueUrl: "http://127.0.0.1:1/withdrawals", MessageBody: JSON.stringify(file) },
    ]);
  });

  it("leaves the codes of a file that nobody withdrew", async () => {
    const { promocodeId, generation } = await aPool(100);

    await deliver({ promocodeId, fileId: generation.fileId });

    expect((await cellsOf(promocodeId, generation)).some(isSealed)).toBe(false);
  });

  it("logs one line for each message: the file and what became of it", async () => {
    const { promocodeId, generation } = await aPool(100);
    const file = { promocodeId, fileId: generation.fileId };
    await aFile(promocodeId, generation.fileId);

    const lines = await jobLinesOf(async () => {
      await deliver(file, 20_000);
      await deliver(file);
      await deliver(file);
    });

    const common = {
      message: "worked",
      job: "seal-code-file",
      messageId: "message-1",
      receives: 1,
      ...file,
    };
    expect(lines).toEqual([
      { ...common, outcome: "queued again", why: "time is over" },
      { ...common, outcome: "withdrawn" },
      { ...common, outcome: "nothing to do" },
    ]);
  });
});
