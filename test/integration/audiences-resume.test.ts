import { UploadPartCommand } from "@aws-sdk/client-s3";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { DynamoDbEngine } from "../../local/dynamodb/engine.ts";
import { customers, someCodes } from "../support/codes.ts";
import { engines } from "../support/engines.ts";
import { type AudienceWorld, anAudienceWorld } from "./audience-world.ts";

const audienceSize = 7_500;
/** The least that S3 takes for a part. With contexts as long as can be, 3,100 rows make one, so this audience has three. */
const options = { partBytes: 5 * 1024 * 1024, customersAtOnce: 1_100 };
const longest = (first: string): string => first + "😀".repeat(127);
const context = { occurenceId: longest("o"), seriesId: longest("s"), actionId: longest("a") };
const ids = customers(audienceSize);
const file = `customerId\n${[...ids, ...ids.slice(0, 40)].join("\n")}\n`;
/** Twice as many as needed: few customers find their home full. */
const codes = someCodes(15_000);

const noTime = 0;
const muchTime = 900_000;

describe.each(engines)("an audience whose job is interrupted, on $name", ({ start }) => {
  let engine: DynamoDbEngine;
  let world: AudienceWorld;
  beforeAll(async () => {
    engine = await start();
    world = await anAudienceWorld(engine, { hasStream: false });
  });
  afterAll(async () => {
    await world.close();
    await engine.close();
  });

  const anAudience = async () => {
    const promocode = await world.aPromocode(codes);
    return { promocode, audienceId: await world.anAudience(promocode, file, context) };
  };

  /** Everybody has exactly one code, the result is whole, and it tells what the pool holds. */
  const expectWhole = async ({ promocode, audienceId }: Awaited<ReturnType<typeof anAudience>>) => {
    const audience = await world.find(audienceId);
    const rows = await world.resultOf(audienceId);
    const holders = await world.holders(promocode);
    expect(audience).toMatchObject({
      status: "succeeded",
      rows: { read: audienceSize + 40, customers: audienceSize, repeatedInFile: 40, rejected: 0 },
      counts: { pool: audienceSize, repeated: 0, default: 0, refused: 0 },
      result: { rows: audienceSize },
    });
    expect(audience.checkpoint).toBeUndefined();
    expect(holders).toHaveLength(audienceSize);
    expect(new Set(holders.map(({ token }) => token)).size).toBe(audienceSize);
    expect(rows).toHaveLength(audienceSize);
    expect(new Map(rows.map(({ customerId, uniqueCode }) => [customerId, uniqueCode]))).toEqual(
      new Map(holders.map(({ token, code }) => [token, code])),
    );
    expect(new Set(rows.map(({ timestamp }) => timestamp))).toEqual(new Set([audience.startedAt]));
  };

  /**
   * The job looks at the time before each 1,100 customers (parts of 3, 3 and 1 times as many) and behind each part.
   *
   *     look   0   1   2  |  3  |  4   5   6  |  7  |  8
   *     part   1---1---1  | end |  2---2---2  | end |  3
   */
  it.each([0, 1, 3, 4, 6, 7, 8])("goes on when its time is over at look %i", async (last) => {
    const interrupted = await anAudience();
    const { audienceId } = interrupted;
    let looks = 0;
    const timeLeftMs = () => (looks++ < last ? muchTime : noTime);

    const first = await world
      .run(audienceId, { ...options, timeLeftMs })
      .catch((error: Error) => error.message);
    const sent = world.sentMessages();

    if (last < 3) {
      // There is nothing to go on from: the queue delivers the message again.
      expect(first).toBe("the time was over before the first part was complete");
      expect(sent).toEqual([]);
    } else {
      expect(first).toBe("queued again");
      expect(sent).toEqual([{ queue: "audiences", message: { audienceId } }]);
    }
    expect((await world.find(audienceId)).checkpoint?.position).toBe(
      [0, 3_300, 6_600][Math.floor((last + 1) / 4)],
    );
    expect(await world.run(audienceId, options)).toBe("done");
    await expectWhole(interrupted);
  });

  it.each([1, 400, 700, 950])("goes on when it dies at write %i of a cell", async (fatal) => {
    const interrupted = await anAudience();
    let writes = 0;
    const { observeDirectRequests } = await import("../../shared/storage/direct-request.ts");
    const stop = observeDirectRequests(() => {
      writes += 1;
      if (writes >= fatal) throw new Error("killed");
    });

    await expect(world.run(interrupted.audienceId, options).finally(stop)).rejects.toThrow("killed");
    expect(await world.run(interrupted.audienceId, options)).toBe("done");

    await expectWhole(interrupted);
    expect((await world.find(interrupted.audienceId)).attempt).toBe(2);
  });

  it("goes on, whatever the S3 call whose answer gets lost", async () => {
    for (const [name, nth] of [
      ["CreateMultipartUploadCommand", 1],
      ["UploadPartCommand", 1],
      ["UploadPartCommand", 2],
      ["CompleteMultipartUploadCommand", 1],
    ] as const) {
      const interrupted = await anAudience();
      const fault = dieAfter(world.s3, name, nth);

      await expect(world.run(interrupted.audienceId, options)).rejects.toThrow("killed");
      fault.stop();
      expect(await world.run(interrupted.audienceId, options)).toBe("done");

      await expectWhole(interrupted);
    }
  });

  it("stops the run that was given up for dead, and one result counts", async () => {
    const interrupted = await anAudience();
    const { audienceId } = interrupted;
    let goOn = () => {};
    const woken = new Promise<void>((resolve) => {
      goOn = resolve;
    });
    const fault = holdAt(world.s3, "UploadPartCommand", woken);

    const zombie = world.run(audienceId, options);
    await fault.reached;
    fault.stop();
    expect(await world.run(audienceId, options)).toBe("done");
    goOn();

    expect(await zombie).toBe("superseded");
    await expectWhole(interrupted);
    expect(await world.run(audienceId, options)).toBe("nothing to do");
  });

  it("begins the result anew when a dead run has written over a part", async () => {
    const interrupted = await anAudience();
    const { audienceId } = interrupted;
    let looks = 0;
    await world.run(audienceId, { ...options, timeLeftMs: () => (looks++ < 5 ? muchTime : noTime) });
    const { checkpoint } = await world.find(audienceId);
    await world.s3.send(
      new UploadPartCommand({
        Bucket: "exports-bucket",
        Key: checkpoint!.objectKey,
        UploadId: checkpoint!.uploadId,
        PartNumber: 1,
        Body: Buffer.alloc(options.partBytes, "x"),
      }),
    );
    world.sentMessages();

    expect(await world.run(audienceId, options)).toBe("queued again");
    expect(world.sentMessages()).toEqual([{ queue: "audiences", message: { audienceId } }]);
    expect(await world.run(audienceId, options)).toBe("done");

    await expectWhole(interrupted);
  });

  it("refuses the rest when the promotion ends midway: the result is whole, and the job has failed", async () => {
    const interrupted = await anAudience();
    const { promocode, audienceId } = interrupted;
    let looks = 0;
    let ended: Promise<unknown> | undefined;
    const timeLeftMs = () => {
      looks += 1;
      if (looks === 3) ended = world.promotions.setStatus(promocode.promotionId, "deactivated", new Date());
      return muchTime;
    };

    expect(await world.run(audienceId, { ...options, timeLeftMs })).toBe("done");
    await ended;

    const audience = await world.find(audienceId);
    const rows = await world.resultOf(audienceId);
    const { counts } = audience;
    expect(audience).toMatchObject({ status: "failed", failure: { code: "promotion-not-active" } });
    expect(counts.pool).toBeGreaterThan(0);
    expect(counts.refused).toBeGreaterThan(0);
    expect(counts.pool + counts.refused).toBe(audienceSize);
    expect(rows.filter(({ source }) => source === "pool")).toHaveLength(counts.pool);
    expect(await world.holders(promocode)).toHaveLength(counts.pool);
  });

  it("tells the codes that it gave out before the promotion ended, also those of a part that was lost", async () => {
    const promocode = await world.aPromocode(codes);
    const audienceId = await world.anAudience(promocode, file, context);
    const fault = dieAfter(world.s3, "UploadPartCommand", 1);
    await expect(world.run(audienceId, options)).rejects.toThrow("killed");
    fault.stop();
    const given = await world.holders(promocode);
    await world.promotions.setStatus(promocode.promotionId, "deactivated", new Date());

    expect(await world.run(audienceId, options)).toBe("done");

    const rows = (await world.resultOf(audienceId)).filter(({ source }) => source === "pool");
    expect(given.length).toBeGreaterThan(0);
    expect(await world.holders(promocode)).toEqual(given);
    expect(new Map(rows.map(({ customerId, uniqueCode }) => [customerId, uniqueCode]))).toEqual(
      new Map(given.map(({ token, code }) => [token, code])),
    );
  });

  it("keeps each customer's code under Varying, though the method changes midway", async () => {
    const promocode = await world.aPromocode(codes, { allocationMethod: "Varying" });
    const audienceId = await world.anAudience(promocode, file, context);
    const fault = dieAfter(world.s3, "UploadPartCommand", 1);
    await expect(world.run(audienceId, options)).rejects.toThrow("killed");
    fault.stop();
    await world.promocodes.update(promocode.promocodeId, { allocationMethod: "Consistent" }, new Date());

    expect(await world.run(audienceId, options)).toBe("done");

    expect((await world.find(audienceId)).counts).toEqual({
      pool: audienceSize,
      repeated: 0,
      default: 0,
      refused: 0,
    });
    expect(await world.holders(promocode)).toHaveLength(audienceSize);
  });

  it("fails on the last delivery, and a message that is redriven takes it up again", async () => {
    const interrupted = await anAudience();
    const { audienceId } = interrupted;
    const fault = dieAfter(world.s3, "UploadPartCommand", 1);

    await expect(world.run(audienceId, { ...options, isLast: true })).rejects.toThrow("killed");
    fault.stop();
    expect(await world.find(audienceId)).toMatchObject({
      status: "failed",
      failure: { code: "audience-failed" },
    });
    expect(await world.run(audienceId, options)).toBe("done");

    await expectWhole(interrupted);
  });

  it("whose last try was ended by Lambda fails on the delivery after it, and is taken up again where it was", async () => {
    const interrupted = await anAudience();
    const { audienceId } = interrupted;
    let looks = 0;
    await world.run(audienceId, { ...options, timeLeftMs: () => (looks++ < 5 ? muchTime : noTime) });
    const { checkpoint } = await world.audiences.begin(audienceId, new Date()).then((begun) => begun!);

    await expect(world.run(audienceId, { ...options, isLast: true, triesAreOver: true })).rejects.toThrow();

    expect(await world.find(audienceId)).toMatchObject({
      status: "failed",
      failure: { code: "audience-failed" },
      checkpoint: { position: checkpoint?.position },
    });
    expect(await world.run(audienceId, options)).toBe("done");
    await expectWhole(interrupted);
  });
});

type Client = AudienceWorld["s3"];

/** The nth call of this kind is carried out, and then this process is as good as dead. */
const dieAfter = (client: Client, commandName: string, nth: number): { stop(): void } => {
  let calls = 0;
  client.middlewareStack.add(
    (next, context) => async (args) => {
      const result = await next(args);
      if (context.commandName !== commandName) return result;
      calls += 1;
      if (calls >= nth) throw new Error("killed");
      return result;
    },
    { step: "initialize", name: "fault" },
  );
  return { stop: () => client.middlewareStack.remove("fault") };
};

/** The next call of this kind waits before it is sent. */
const holdAt = (
  client: Client,
  commandName: string,
  until: Promise<void>,
): { readonly reached: Promise<void>; stop(): void } => {
  let tell = () => {};
  const reached = new Promise<void>((resolve) => {
    tell = resolve;
  });
  client.middlewareStack.add(
    (next, context) => async (args) => {
      if (context.commandName === commandName) {
        tell();
        await until;
      }
      return next(args);
    },
    { step: "initialize", name: "held" },
  );
  return { reached, stop: () => client.middlewareStack.remove("held") };
};
