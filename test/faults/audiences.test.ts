import { DeleteObjectCommand } from "@aws-sdk/client-s3";
import { afterAll, beforeAll, describe, expect } from "vitest";
import type { DynamoDbEngine } from "../../local/dynamodb/engine.ts";
import { customers, someCodes } from "../support/codes.ts";
import { engines } from "../support/engines.ts";
import { fault, injectionByHand } from "./fault.ts";
import type { WireRequest } from "./fault-proxy.ts";
import { aJobWorld, type JobProcess, type JobWorld, type Owner } from "./job-world.ts";
import { deathOf, killAtEvery } from "./kill-at-every.ts";
import { answerLost, heldBack, isTableWrite, throttled } from "./wire-faults.ts";

const isS3Write = ({ method }: WireRequest): boolean => method === "PUT" || method === "POST";
const isChangeOfRecord = (request: WireRequest): boolean =>
  isTableWrite(request) && request.body.includes('"audience#aud_');

/** As long as may be: 2,700 rows make a part of 5 MiB, the least that S3 takes. */
const ids = customers(2_900).map((id) => id + "😀".repeat(128 - id.length));
const sizes = { partBytes: 5 * 1024 * 1024, customersAtOnce: 900 };
const longest = (first: string): string => first + "😀".repeat(127);
const context = { occurenceId: longest("o"), seriesId: longest("s"), actionId: longest("a") };
const codes = someCodes(6_000);

describe("an audience", () => {
  let engine: DynamoDbEngine;
  let world: JobWorld;
  let healthy: JobProcess;
  beforeAll(async () => {
    engine = await engines[0]!.start();
    world = await aJobWorld(engine, { hasStream: false });
    healthy = await world.aProcess();
  });
  afterAll(async () => {
    await world.close();
    await engine.close();
  });

  const aPool = async (texts: readonly string[]): Promise<Owner> => {
    const owner = await world.aPromocode();
    await world.drop(owner, texts);
    await world.workedOff({ process: healthy });
    return owner;
  };

  /** Everybody has one code, and the result tells it. */
  const isServed = async (
    owner: Owner,
    texts: readonly string[],
    audienceId: string,
    wanted: readonly string[],
  ) => {
    const pool = await world.prove(owner, { codes: texts });
    const { status, counts, result } = await world.audienceOf(audienceId);
    expect([status, counts]).toEqual([
      "succeeded",
      { pool: wanted.length, repeated: 0, default: 0, refused: 0 },
    ]);
    expect(pool.given.map(({ customerId }) => customerId).sort()).toEqual([...wanted].sort());
    expect(world.holdersIn(await world.textOf(result?.objectKey))).toEqual(
      pool.given.map(({ customerId, uniqueCode }) => `${customerId},${uniqueCode}`).sort(),
    );
  };

  fault("is killed before and after each part and each checkpoint", async ({ count, proved }) => {
    const owner = await aPool(codes);
    const audienceId = await world.announceAudience(owner, ids, context);
    let runs = 0;
    // The same audience all along: each run goes on where the last one was killed.
    for (const on of ["s3", "table"] as const)
      await killAtEvery(
        world,
        { on, matches: on === "s3" ? isS3Write : isChangeOfRecord, count },
        async (doomed) => {
          runs += 1;
          await deathOf(doomed.allocateTo(audienceId, sizes));
        },
      );
    await healthy.allocateTo(audienceId, sizes);

    expect(runs).toBeGreaterThan(6);
    await isServed(owner, codes, audienceId, ids);
    proved("everybody has one code, the result is whole and tells it");
  });

  fault("is delivered again while the first run is still at it", async ({ count, proved }) => {
    const texts = someCodes(400);
    const owner = await aPool(texts);
    const slow = await world.aProcess();
    const held = heldBack();
    count(slow.s3.inject(held.fault, { matches: isS3Write }));
    const runs = [slow];

    const audienceId = await world.dropAudience(owner, customers(250));
    const source = world.workOff({ process: () => runs.shift() ?? healthy });
    await held.arrived;
    await world.giveBackAll("audiences");
    await world.until(async () =>
      expect((await world.audienceOf(await audienceId())).status).toBe("succeeded"),
    );
    held.release();
    await world.queuesAreEmpty();
    await source.stop();

    await isServed(owner, texts, await audienceId(), customers(250));
    proved("everybody has one code, one result counts");
  });

  fault(
    "has a third of its writes throttled, and loses a tenth of the answers",
    async ({ count, proved }) => {
      const texts = someCodes(400);
      const owner = await aPool(texts);
      const process = await world.aProcess();
      count(process.table.inject(throttled, { matches: isTableWrite, share: 0.33, seed: 3 }));
      count(process.table.inject(answerLost, { matches: isTableWrite, share: 0.1, seed: 4 }));

      const audienceId = await world.dropAudience(owner, customers(250));
      await world.workedOff({ process });

      await isServed(owner, texts, await audienceId(), customers(250));
      proved("everybody has one code, told as new to each");
    },
  );

  fault("was allocated, its file deleted, and its event comes again", async ({ count, proved }) => {
    const texts = someCodes(60);
    const owner = await aPool(texts);
    const audienceId = await world.dropAudience(owner, customers(30));
    const event = await world.take("audiences");
    expect(await healthy.work("audiences", event)).toBe(true);
    const { objectKey, versionId } = await world.audienceOf(await audienceId());
    await world.s3.send(
      new DeleteObjectCommand({
        Bucket: world.uploads,
        Key: objectKey ?? "",
        VersionId: versionId ?? "",
      }),
    );
    const repetition = count(injectionByHand(() => healthy.work("audiences", event)));

    expect(await repetition.fire()).toBe(true);
    await world.done("audiences", event);

    await isServed(owner, texts, await audienceId(), customers(30));
    proved("still one audience, succeeded");
  });
});
