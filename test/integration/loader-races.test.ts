import { UpdateCommand } from "@aws-sdk/lib-dynamodb";
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import type { DynamoDbEngine } from "../../local/dynamodb/engine.ts";
import type { StoredCodeFile } from "../../shared/storage/code-files.ts";
import { keys } from "../../shared/storage/table.ts";
import { engines } from "../support/engines.ts";
import { loseNextAnswer } from "../support/lost-answer.ts";
import { aLoaderWorld, type LoaderWorld, numbered } from "./loader-world.ts";

/** What may take a moment, and longer on a machine that is slow. */
const patience = { timeout: 30_000 };

describe.each(engines)("a load that does not go smoothly, on $name", ({ start }) => {
  let engine: DynamoDbEngine;
  let world: LoaderWorld;
  let modules: Awaited<ReturnType<typeof load>>;

  const load = async () => ({
    ...(await import("../../shared/storage/load-locks.ts")),
    ...(await import("../../shared/storage/code-files.ts")),
    ...(await import("../../shared/storage/publication.ts")),
    ...(await import("../../shared/storage/client.ts")),
    ...(await import("../../functions/load-code-file/receive-object.ts")),
    ...(await import("../../functions/load-code-file/messages.ts")),
    ...(await import("../../functions/load-code-file/write-cells-of.ts")),
    ...(await import("../../functions/withdraw-code-file/withdraw-code-file.ts")),
  });

  beforeAll(async () => {
    engine = await start();
    world = await aLoaderWorld(engine);
    modules = await load();
  });
  afterAll(async () => {
    await world.close();
    await engine.close();
  });
  beforeEach(() => {
    world.sentMessages();
  });

  /** A file that is queued and not loaded yet. */
  const queue = async (promocode: { promocodeId: string }, content: string) => {
    const { object, event } = await world.drop(promocode, content);
    const message = modules.messageSchema.parse(event);
    if (!("Records" in message)) throw new Error("no S3 event");
    const file = await modules.receiveObject(message.Records[0]!);
    if (!file) throw new Error("not received");
    return { object, event, file };
  };

  /** Lets the lock's owner be dead: its deadline is over. */
  const expireLock = ({ promocodeId }: { promocodeId: string }) =>
    modules.dynamoDb.send(
      new UpdateCommand({
        TableName: modules.tableName(),
        Key: keys.loadLock(promocodeId),
        UpdateExpression: "SET deadline = :past",
        ExpressionAttributeValues: { ":past": 1 },
      }),
    );

  const contentOf = (codes: number) => ({
    rowsRead: codes,
    codes,
    duplicatesInFile: 0,
    duplicatesInPool: 0,
    rejected: 0,
    header: null,
    problems: [],
  });

  describe("the lock", () => {
    it("lets one file of a promocode be loaded at a time; the others wait in the queue, longer each time", async () => {
      const promocode = await world.aPromocode();
      const lock = await modules.acquireLoadLock(promocode.promocodeId, "fil_other");
      const { event, object, file } = await queue(promocode, "A1\n");
      const message = (waits: number) => ({ promocodeId: promocode.promocodeId, fileId: file.fileId, waits });

      expect(await world.deliver(event)).toBe(true);
      expect(await world.deliver(message(1))).toBe(true);
      expect(await world.deliver(message(9))).toBe(true);

      expect(world.sentMessages()).toEqual([
        { queue: "code-files", message: message(1), delaySeconds: 5 },
        { queue: "code-files", message: message(2), delaySeconds: 10 },
        { queue: "code-files", message: message(10), delaySeconds: 60 },
      ]);
      expect(await world.fileOf(promocode, object)).toMatchObject({ status: "queued" });

      await lock?.release();
      await world.deliver(message(2));
      expect(await world.fileOf(promocode, object)).toMatchObject({ status: "ready", codes: 1 });
    });

    it("has a fence that only grows, and a loser that cannot release it", async () => {
      const { promocodeId } = await world.aPromocode();
      const first = await modules.acquireLoadLock(promocodeId, "one");
      expect(await modules.acquireLoadLock(promocodeId, "two")).toBeUndefined();
      await expireLock({ promocodeId });
      const second = await modules.acquireLoadLock(promocodeId, "two");

      await first?.release();

      expect(second?.fence).toBeGreaterThan(first?.fence ?? 0);
      expect(await modules.acquireLoadLock(promocodeId, "three")).toBeUndefined();
      expect(await modules.fileBeingLoaded(promocodeId, new Date())).toBe("two");
      await second?.release();
      expect(await modules.fileBeingLoaded(promocodeId, new Date())).toBeUndefined();
    });

    it("is kept by a heartbeat, and its owner learns when it was lost", async () => {
      vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
      try {
        const { promocodeId } = await world.aPromocode();
        let now = Date.now();
        const lock = await modules.acquireLoadLock(promocodeId, "one", () => now);
        now += 50_000;
        await vi.advanceTimersByTimeAsync(15_000);
        await vi.waitFor(async () => {
          const at = new Date(now + 30_000);
          expect(await modules.fileBeingLoaded(promocodeId, at)).toBe("one");
        }, patience);
        expect(lock?.signal.aborted).toBe(false);

        await expireLock({ promocodeId });
        await modules.acquireLoadLock(promocodeId, "two");
        await vi.advanceTimersByTimeAsync(15_000);

        await vi.waitFor(() => expect(lock?.signal.reason).toBeInstanceOf(modules.LockLost), patience);
      } finally {
        vi.useRealTimers();
      }
    });
  });

  describe("publication", () => {
    it("is refused to a run that lost its lock, and what it wrote is never seen", async () => {
      const promocode = await world.aPromocode();
      const { promocodeId } = promocode;
      const { file, event, object } = await queue(promocode, numbered(100).join("\n"));
      const zombie = (await modules.acquireLoadLock(promocodeId, file.fileId))!;
      const run = { promocodeId, fileId: file.fileId, attempt: zombie.fence };
      await modules.codeFiles.begin(run);

      // The zombie sleeps; another run loads the file.
      await expireLock(promocode);
      await world.deliver(event);
      const before = await world.pool(promocode);

      // It wakes up, writes its cells where nobody reads, and wants to publish.
      await modules.dynamoDb.send(
        new (await import("@aws-sdk/lib-dynamodb")).PutCommand({
          TableName: modules.tableName(),
          Item: {
            ...keys.cell({ promocodeId, generation: 1, attempt: zombie.fence, shard: 0, cell: 0 }),
            k: 1,
            c: "ZOMBIE",
            u: [],
            t: [],
          },
        }),
      );
      const published = await modules.publishGeneration({
        run,
        content: contentOf(1),
        generation: { number: 1, attempt: zombie.fence, shards: 1, cellsPerShard: 1 },
        now: new Date(),
      });

      expect(published).toBe(false);
      expect(await modules.codeFiles.reportProgress(run, { rowsRead: 7 })).toBe(false);
      expect(await modules.codeFiles.fail(run, { code: "empty-file", message: "no" }, undefined)).toBe(false);
      expect(await world.pool(promocode)).toEqual(before);
      expect(await world.fileOf(promocode, object)).toMatchObject({
        status: "ready",
        codes: 100,
        rowsRead: 100,
      });
    });

    it("is refused when another file was published since the codes were compared with the pool", async () => {
      const promocode = await world.aPromocode();
      const { promocodeId } = promocode;
      await world.load(promocode, "OTHER\n");
      const { file } = await queue(promocode, "A1\n");
      const lock = (await modules.acquireLoadLock(promocodeId, file.fileId))!;
      const run = { promocodeId, fileId: file.fileId, attempt: lock.fence };
      await modules.codeFiles.begin(run);

      const publishedAs = (number: number) =>
        modules.publishGeneration({
          run,
          content: contentOf(1),
          generation: { number, attempt: lock.fence, shards: 1, cellsPerShard: 1 },
          now: new Date(),
        });

      expect(await publishedAs(1)).toBe(false);
      expect(await publishedAs(3)).toBe(false);
      await lock.release();
      expect((await world.pool(promocode)).codes).toEqual(["OTHER"]);
    });

    it("is refused when the file was refused or withdrawn meanwhile", async () => {
      const promocode = await world.aPromocode();
      const { promocodeId } = promocode;
      const { file } = await queue(promocode, "A1\n");
      const lock = (await modules.acquireLoadLock(promocodeId, file.fileId))!;
      const run = { promocodeId, fileId: file.fileId, attempt: lock.fence };
      await modules.codeFiles.begin(run);
      await modules.codeFiles.fail(run, { code: "empty-file", message: "Nothing in it." }, undefined);

      const published = await modules.publishGeneration({
        run,
        content: contentOf(1),
        generation: { number: 1, attempt: lock.fence, shards: 1, cellsPerShard: 1 },
        now: new Date(),
      });

      expect(published).toBe(false);
      expect((await world.pool(promocode)).generations).toEqual([]);
    });

    it("that is repeated because its answer got lost counts as done", async () => {
      const promocode = await world.aPromocode();
      const { promocodeId } = promocode;
      const { file } = await queue(promocode, "A1\n");
      const lock = (await modules.acquireLoadLock(promocodeId, file.fileId))!;
      const run = { promocodeId, fileId: file.fileId, attempt: lock.fence };
      await modules.codeFiles.begin(run);
      const publication = {
        run,
        content: contentOf(1),
        generation: { number: 1, attempt: lock.fence, shards: 1, cellsPerShard: 1 },
        now: new Date(),
      };

      expect(await modules.publishGeneration(publication)).toBe(true);
      expect(await modules.publishGeneration(publication)).toBe(true);
      expect((await world.pool(promocode)).generations).toHaveLength(1);
    });
  });

  it("whose answers from the table get lost loads all the same", async () => {
    const promocode = await world.aPromocode();
    const { event, object } = await queue(promocode, "A1\nA2\n");

    // The lock first, then the file's record: each is written, and its answer lost once.
    const answers = [loseNextAnswer(modules.dynamoDb, "UpdateItemCommand")];
    const lock = await modules.acquireLoadLock(promocode.promocodeId, "fil_other");
    answers[0]?.stop();
    await lock?.release();
    answers.push(loseNextAnswer(modules.dynamoDb, "UpdateItemCommand"));
    const file = (await world.fileOf(promocode, object))!;
    const begun = await modules.codeFiles.begin({ ...file, attempt: (lock?.fence ?? 0) + 1 });
    answers[1]?.stop();
    await world.deliver(event);

    expect(answers.map(({ wasLost }) => wasLost())).toEqual([true, true]);
    expect(lock?.fence).toBe(1);
    expect(begun).toMatchObject({ status: "loading", attempt: 2 });
  });

  it("that loses its lock before it publishes stops, shows nothing and goes back to the queue", async () => {
    const promocode = await world.aPromocode();
    const { promocodeId } = promocode;
    const { event, object, file } = await queue(promocode, numbered(300).join("\n"));
    let other: Awaited<ReturnType<typeof modules.acquireLoadLock>>;
    modules.dynamoDb.middlewareStack.add(
      (next, context) => async (args) => {
        if (context.commandName === "TransactWriteItemsCommand" && other === undefined) {
          await expireLock(promocode);
          other = await modules.acquireLoadLock(promocodeId, "fil_other");
        }
        return next(args);
      },
      { step: "initialize", name: "take-over" },
    );

    await world.deliver(event);
    modules.dynamoDb.middlewareStack.remove("take-over");

    expect(other).toBeDefined();
    expect((await world.pool(promocode)).generations).toEqual([]);
    const again = { promocodeId, fileId: file.fileId, waits: 0 };
    expect(world.sentMessages()).toEqual([{ queue: "code-files", message: again, delaySeconds: 0 }]);
    await other?.release();
    await world.deliver(again);
    expect(await world.fileOf(promocode, object)).toMatchObject({ status: "ready", codes: 300 });
  });

  it("that crashed before it published leaves nothing, and is loaded by the next delivery", async () => {
    const promocode = await world.aPromocode();
    const { event, object, file } = await queue(promocode, numbered(100).join("\n"));
    const { promocodeId } = promocode;
    const crashed = (await modules.acquireLoadLock(promocodeId, file.fileId))!;
    await modules.codeFiles.begin({ promocodeId, fileId: file.fileId, attempt: crashed.fence });

    await world.deliver(event);
    expect(world.sentMessages()).toMatchObject([{ queue: "code-files", delaySeconds: 5 }]);
    expect((await world.pool(promocode)).generations).toEqual([]);

    await expireLock(promocode);
    await world.deliver(event);
    expect(await world.fileOf(promocode, object)).toMatchObject({ status: "ready", codes: 100 });
    expect((await world.pool(promocode)).generations[0]?.attempt).toBeGreaterThan(crashed.fence);
  });

  describe("near its time limit", () => {
    /** Time that is over once two requests of 25 cells each were begun: 60 seconds are kept. */
    const timeForTwoRequests = (): (() => number) => {
      let left = 2;
      return () => (left-- > 0 ? 900_000 : 1_000);
    };
    const shardsInTwoRequests = ({ checkpoint }: StoredCodeFile): number =>
      Math.floor(50 / (checkpoint?.cellsPerShard ?? 0));

    it("goes on in another run, which writes only what is missing", async () => {
      const promocode = await world.aPromocode();
      const { event, object, file } = await queue(promocode, numbered(2_000).join("\n"));
      const again = { promocodeId: promocode.promocodeId, fileId: file.fileId, waits: 0 };

      await world.deliver(event, { timeLeftMs: timeForTwoRequests() });
      expect(world.sentMessages()).toEqual([{ queue: "code-files", message: again, delaySeconds: 0 }]);
      const left = await world.fileOf(promocode, object);
      const shards = shardsInTwoRequests(left);
      expect(shards).toBeGreaterThan(1);
      expect(left).toMatchObject({ status: "loading", checkpoint: { shardsWritten: shards, shards: 16 } });
      expect((await world.pool(promocode)).generations).toEqual([]);

      await world.deliver(again, { timeLeftMs: timeForTwoRequests() });
      world.sentMessages();
      expect((await world.fileOf(promocode, object)).checkpoint).toMatchObject({
        attempt: left.attempt,
        shardsWritten: 2 * shards,
      });

      await world.deliver(again);
      const { generations, codes, free } = await world.pool(promocode);
      expect(generations).toMatchObject([{ attempt: left.attempt, codes: 2_000 }]);
      expect(codes).toEqual(numbered(2_000).sort());
      expect(free).toBe(2_000);
      expect(await world.fileOf(promocode, object)).toMatchObject({
        status: "ready",
        codes: 2_000,
        rowsRead: 2_000,
      });
    });

    it("begins anew when another file was published in between", async () => {
      const promocode = await world.aPromocode();
      const { event, object, file } = await queue(promocode, numbered(2_000).join("\n"));
      await world.deliver(event, { timeLeftMs: timeForTwoRequests() });
      const { attempt } = await world.fileOf(promocode, object);

      await world.load(promocode, numbered(10).join("\n"), "other.csv");
      await world.deliver({ promocodeId: promocode.promocodeId, fileId: file.fileId, waits: 0 });

      const { generations, codes } = await world.pool(promocode);
      expect(generations.map(({ codes: count }) => count)).toEqual([10, 1_990]);
      expect(generations[1]?.attempt).toBeGreaterThan(attempt);
      expect(codes).toEqual(numbered(2_000).sort());
    });

    it("hands its checkpoint to one run only", async () => {
      const promocode = await world.aPromocode();
      const { promocodeId } = promocode;
      const { event, object, file } = await queue(promocode, numbered(2_000).join("\n"));
      await world.deliver(event, { timeLeftMs: timeForTwoRequests() });
      const left = await world.fileOf(promocode, object);
      const run = { promocodeId, fileId: file.fileId };

      const one = await modules.codeFiles.begin({ ...run, attempt: 100 });
      const other = await modules.codeFiles.begin({ ...run, attempt: 101 });

      expect(one?.checkpoint).toEqual(left.checkpoint);
      expect(other?.checkpoint).toBeUndefined();
      expect(await modules.codeFiles.leave({ ...run, attempt: 100 }, one!.checkpoint!)).toBe(false);
    });
  });

  describe("that keeps failing", () => {
    it("is delivered again, and on the last delivery the file says so; a redrive can still load it", async () => {
      const promocode = await world.aPromocode();
      const { event, object } = await queue(promocode, "A1\n");
      const broken = () => {
        throw new Error("a fault of the service");
      };

      expect(await world.deliver(event, { timeLeftMs: broken })).toBe(false);
      expect(await world.fileOf(promocode, object)).toMatchObject({ status: "loading", failureCode: null });
      expect(await world.deliver(event, { timeLeftMs: broken, receives: 5 })).toBe(false);
      expect(await world.fileOf(promocode, object)).toMatchObject({
        status: "failed",
        failureCode: "load-failed",
      });

      expect(await world.deliver(event)).toBe(true);
      expect(await world.fileOf(promocode, object)).toMatchObject({
        status: "ready",
        failureCode: null,
        codes: 1,
      });
    });

    it("and is ended on its last try says so on the delivery after it, which loads nothing", async () => {
      const promocode = await world.aPromocode();
      const { promocodeId } = promocode;
      const { event, object, file } = await queue(promocode, "A1\n");
      const ended = (await modules.acquireLoadLock(promocodeId, file.fileId))!;
      await modules.codeFiles.begin({ promocodeId, fileId: file.fileId, attempt: ended.fence });
      await expireLock(promocode);

      expect(await world.deliver(event, { receives: 6 })).toBe(false);

      expect(await world.fileOf(promocode, object)).toMatchObject({
        status: "failed",
        failureCode: "load-failed",
      });
      expect(await modules.fileBeingLoaded(promocodeId, new Date())).toBeUndefined();
      await world.deliver(event);
      expect(await world.fileOf(promocode, object)).toMatchObject({ status: "ready", codes: 1 });
    });

    it("leaves a file alone that another message loads, though its own tries are over", async () => {
      const promocode = await world.aPromocode();
      const { promocodeId } = promocode;
      const { event, object, file } = await queue(promocode, "A1\n");
      const lock = (await modules.acquireLoadLock(promocodeId, file.fileId))!;
      await modules.codeFiles.begin({ promocodeId, fileId: file.fileId, attempt: lock.fence });

      await world.deliver(event, { receives: 6 });

      expect(await world.fileOf(promocode, object)).toMatchObject({ status: "loading", attempt: lock.fence });
      await lock.release();
    });

    it("says so too when a file is refused and its list of refused rows cannot be written", async () => {
      const promocode = await world.aPromocode();
      const { event, object } = await queue(promocode, numbered(30, "not a code ").join("\n"));
      process.env.EXPORTS_BUCKET = "no-such-bucket";
      try {
        expect(await world.deliver(event, { receives: 5 })).toBe(false);
      } finally {
        process.env.EXPORTS_BUCKET = "exports-bucket";
      }

      expect(await world.fileOf(promocode, object)).toMatchObject({
        status: "failed",
        failureCode: "load-failed",
      });
      await world.deliver(event);
      expect(await world.fileOf(promocode, object)).toMatchObject({
        status: "failed",
        failureCode: "no-valid-codes",
        rejected: 30,
      });
    });
  });

  describe("and a withdrawal", () => {
    it("before the load means that the file is never loaded", async () => {
      const promocode = await world.aPromocode();
      const { event, object, file } = await queue(promocode, "A1\n");

      expect(await modules.withdrawCodeFile(file, new Date())).toMatchObject({ status: "withdrawn" });
      await world.deliver(event);

      expect(await world.fileOf(promocode, object)).toMatchObject({ status: "withdrawn", codes: 0 });
      expect((await world.pool(promocode)).generations).toEqual([]);
    });

    it("during the load is refused, unless the load has died", async () => {
      const promocode = await world.aPromocode();
      const { promocodeId } = promocode;
      const { file } = await queue(promocode, "A1\n");
      const lock = (await modules.acquireLoadLock(promocodeId, file.fileId))!;
      const run = { promocodeId, fileId: file.fileId, attempt: lock.fence };
      await modules.codeFiles.begin(run);

      await expect(modules.withdrawCodeFile(file, new Date())).rejects.toMatchObject({
        code: "code-file-loading",
      });

      await expireLock(promocode);
      expect(await modules.withdrawCodeFile(file, new Date())).toMatchObject({ status: "withdrawn" });
      expect(
        await modules.publishGeneration({
          run,
          content: contentOf(1),
          generation: { number: 1, attempt: lock.fence, shards: 1, cellsPerShard: 1 },
          now: new Date(),
        }),
      ).toBe(false);
    });

    it("after the load takes the generation out of the pool and asks for its cells to be sealed, each time", async () => {
      const promocode = await world.aPromocode();
      const file = await world.load(promocode, "A1\nB2\n");
      const { promocodeId } = promocode;
      const sealing = {
        queue: "withdrawals",
        message: { promocodeId, fileId: file.fileId },
        delaySeconds: 0,
      };

      expect(await modules.withdrawCodeFile(file, new Date())).toMatchObject({ status: "withdrawing" });
      expect(await modules.withdrawCodeFile(file, new Date())).toMatchObject({ status: "withdrawing" });

      expect(world.sentMessages()).toEqual([sealing, sealing]);
      expect((await world.pool(promocode)).generations).toMatchObject([{ status: "withdrawn" }]);

      await modules.codeFiles.markWithdrawn(file);
      expect(await modules.withdrawCodeFile(file, new Date())).toMatchObject({ status: "withdrawn" });
      expect(world.sentMessages()).toEqual([]);
    });

    it("keeps its codes known: a later file cannot bring them again", async () => {
      const promocode = await world.aPromocode();
      await modules.withdrawCodeFile(await world.load(promocode, "A1\nB2\n"), new Date());

      expect(await world.load(promocode, "A1\nC3\n")).toMatchObject({ codes: 1, duplicatesInPool: 1 });
    });

    it("of a file that failed by a fault of the service holds, even when its message is redriven", async () => {
      const promocode = await world.aPromocode();
      const { event, object } = await queue(promocode, "A1\n");
      const broken = () => {
        throw new Error("a fault of the service");
      };
      await world.deliver(event, { timeLeftMs: broken, receives: 5 });
      const failed = (await world.fileOf(promocode, object))!;

      const withdrawn = await modules.withdrawCodeFile(failed, new Date());
      await world.deliver(event);

      expect(failed).toMatchObject({ status: "failed", failureCode: "load-failed" });
      expect(withdrawn).toMatchObject({ status: "withdrawn" });
      expect(await world.fileOf(promocode, object)).toMatchObject({ status: "withdrawn" });
      expect((await world.pool(promocode)).generations).toEqual([]);
    });

    it("of a file that brought nothing new ends at once; a failed file stays failed", async () => {
      const promocode = await world.aPromocode();
      await world.load(promocode, "A1\n");
      const empty = await world.load(promocode, "A1\n");
      const failed = await world.load(promocode, "");

      expect(await modules.withdrawCodeFile(empty, new Date())).toMatchObject({ status: "withdrawn" });
      expect(await modules.withdrawCodeFile(failed, new Date())).toMatchObject({ status: "failed" });
      expect(world.sentMessages()).toEqual([]);
    });
  });
});
