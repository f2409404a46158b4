import { DeleteObjectCommand } from "@aws-sdk/client-s3";
import { afterAll, beforeAll, describe, expect } from "vitest";
import type { DynamoDbEngine } from "../../local/dynamodb/engine.ts";
import { someCodes } from "../support/codes.ts";
import { engines } from "../support/engines.ts";
import { fault, injectionByHand } from "./fault.ts";
import type { WireRequest } from "./fault-proxy.ts";
import { aJobWorld, type JobProcess, type JobWorld } from "./job-world.ts";

const isGetOfObject = ({ method }: WireRequest): boolean => method === "GET";

describe("a file's events", () => {
  let engine: DynamoDbEngine;
  let world: JobWorld;
  let process: JobProcess;
  beforeAll(async () => {
    engine = await engines[0]!.start();
    world = await aJobWorld(engine);
    process = await world.aProcess();
  });
  afterAll(async () => {
    await world.close();
    await engine.close();
  });

  fault("the same S3 event ten times, side by side", async ({ count, proved }) => {
    const owner = await world.aPromocode();
    const codes = someCodes(200);
    await world.drop(owner, codes);
    const event = await world.take("code-files");
    const repetition = count(injectionByHand(() => world.repeat("code-files", event)));
    for (let times = 1; times < 10; times += 1) await repetition.fire();
    await world.giveBack("code-files", event);

    await world.workedOff({ process, concurrency: 10 });

    await world.prove(owner, { codes });
    expect(await world.onlyFileOf(owner)).toMatchObject({ status: "ready", codes: 200, duplicatesInPool: 0 });
    proved("one file, each code once, no message left");
  });

  fault("the older event of a key comes after the newer one", async ({ count, proved }) => {
    const owner = await world.aPromocode();
    const older = await world.drop(owner, [...someCodes(50, "BOTH"), ...someCodes(50, "OLD")]);
    const olderEvent = await world.take("code-files");
    const newer = await world.drop(owner, [...someCodes(50, "BOTH"), ...someCodes(50, "NEW")]);
    const newerEvent = await world.take("code-files");
    const swap = count(injectionByHand(() => [newerEvent, olderEvent]));

    for (const event of swap.fire()) expect(await process.work("code-files", event)).toBe(true);
    for (const event of [olderEvent, newerEvent]) await world.done("code-files", event);

    const codes = ["BOTH", "NEW", "OLD"].flatMap((prefix) => someCodes(50, prefix));
    await world.prove(owner, { codes });
    const files = await world.filesOf(owner);
    const of = (object: { versionId: string }) => files.find((file) => file.versionId === object.versionId);
    expect(files).toHaveLength(2);
    expect(of(newer)).toMatchObject({ status: "ready", codes: 100, duplicatesInPool: 0 });
    expect(of(older)).toMatchObject({ status: "ready", codes: 50, duplicatesInPool: 50 });
    proved("a file of each version, the codes of both once");
  });

  fault("an announced upload is sent twice, and the older event comes last", async ({ count, proved }) => {
    const owner = await world.aPromocode();
    const { fileId, objectKey } = await world.announce(owner);
    await world.put(objectKey, someCodes(50, "OLD").join("\n"));
    const olderEvent = await world.take("code-files");
    const newer = await world.put(objectKey, someCodes(60, "NEW").join("\n"));
    const newerEvent = await world.take("code-files");
    const swap = count(injectionByHand(() => [newerEvent, olderEvent]));

    for (const event of swap.fire()) expect(await process.work("code-files", event)).toBe(true);
    for (const event of [olderEvent, newerEvent]) await world.done("code-files", event);

    await world.prove(owner, { codes: someCodes(60, "NEW") });
    expect(await world.onlyFileOf(owner)).toMatchObject({
      fileId,
      status: "ready",
      codes: 60,
      versionId: newer.versionId,
    });
    proved("one file, of the version whose event came first, nothing of the other");
  });

  fault("the object is overwritten while it is read", async ({ count, proved }) => {
    const owner = await world.aPromocode();
    const first = await world.drop(owner, someCodes(4_000, "OLD"));
    const event = await world.take("code-files");
    let second = first;
    count(
      process.s3.inject(
        async ({ carryOut, beginAnswer, reset }) => {
          const whole = await carryOut();
          beginAnswer(whole, 20_000);
          second = await world.drop(owner, someCodes(4_000, "NEW"));
          reset();
        },
        { matches: isGetOfObject, times: 1 },
      ),
    );

    expect(await process.work("code-files", event)).toBe(true);
    await world.done("code-files", event);
    await world.prove(owner, { codes: someCodes(4_000, "OLD") });
    await world.workedOff({ process });

    await world.prove(owner, { codes: [...someCodes(4_000, "OLD"), ...someCodes(4_000, "NEW")] });
    const files = await world.filesOf(owner);
    expect(files.map(({ versionId }) => versionId).sort()).toEqual(
      [first.versionId, second.versionId].sort(),
    );
    proved("each version is a file of its own, neither has a code of the other");
  });

  const remove = ({ objectKey, versionId }: { objectKey: string; versionId: string }) =>
    world.s3.send(new DeleteObjectCommand({ Bucket: world.uploads, Key: objectKey, VersionId: versionId }));

  fault(
    "the object is gone before it is read, and its event comes three times",
    async ({ count, proved }) => {
      const owner = await world.aPromocode();
      const object = await world.drop(owner, someCodes(10));
      const event = await world.take("code-files");
      const removal = count(injectionByHand(() => remove(object)));
      await removal.fire();

      for (let times = 0; times < 3; times += 1) expect(await process.work("code-files", event)).toBe(true);
      await world.done("code-files", event);

      await world.prove(owner, { codes: [] });
      expect(await world.onlyFileOf(owner)).toMatchObject({ status: "failed", failureCode: "object-gone" });
      proved("one file, failed with object-gone, nothing in the pool");
    },
  );

  fault("the object is gone halfway", async ({ count, proved }) => {
    const owner = await world.aPromocode();
    const object = await world.drop(owner, someCodes(4_000));
    const event = await world.take("code-files");
    count(
      process.s3.inject(
        async ({ carryOut, beginAnswer, reset }) => {
          beginAnswer(await carryOut(), 20_000);
          await remove(object);
          reset();
        },
        { matches: isGetOfObject, times: 1 },
      ),
    );

    expect(await process.work("code-files", event)).toBe(true);
    await world.done("code-files", event);

    await world.prove(owner, { codes: [] });
    expect(await world.onlyFileOf(owner)).toMatchObject({ status: "failed", failureCode: "object-gone" });
    proved("failed with object-gone, nothing of the half in the pool");
  });

  fault("an event comes again after its object was loaded and deleted", async ({ count, proved }) => {
    const owner = await world.aPromocode();
    const codes = someCodes(10);
    const object = await world.drop(owner, codes);
    const event = await world.take("code-files");
    expect(await process.work("code-files", event)).toBe(true);
    await remove(object);
    const repetition = count(injectionByHand(() => process.work("code-files", event)));

    expect(await repetition.fire()).toBe(true);
    await world.done("code-files", event);

    await world.prove(owner, { codes });
    expect(await world.onlyFileOf(owner)).toMatchObject({ status: "ready", codes: 10 });
    proved("still one file, ready");
  });

  fault("poison messages in a batch with good ones", async ({ count, proved }) => {
    const owners = await Promise.all([1, 2, 3].map(() => world.aPromocode()));
    const poison = [
      "not JSON",
      '{"Records":[{"s3":{"object":{"key":"%E0%A4%A"}},"eventTime":"2026-11-23T09:00:00.000Z"}]}',
      '{"promocodeId":7}',
    ];
    const poisoning = count(injectionByHand((body: string) => world.queues.named("code-files").send(body)));
    for (const [at, owner] of owners.entries()) {
      await poisoning.fire(poison[at]!);
      await world.drop(owner, someCodes(20));
    }
    await world.until(async () => {
      expect(world.queues.named("code-files").counts().visible).toBe(6);
    });

    await world.workedOff({ process, batchSize: 6, concurrency: 1 });

    for (const owner of owners) {
      await world.prove(owner, { codes: someCodes(20) });
      expect(await world.onlyFileOf(owner)).toMatchObject({ status: "ready", codes: 20 });
    }
    expect(world.deadLetters("code-files").map(({ body }) => body)).toEqual(expect.arrayContaining(poison));
    await world.queues.named("code-files-dead").purge();
    proved("the good ones are loaded, the poison alone is in the dead letters");
  });

  fault("dead letters are redriven for a file that is complete by then", async ({ count, proved }) => {
    const owner = await world.aPromocode();
    const codes = someCodes(100);
    await world.drop(owner, codes);
    const event = await world.take("code-files");
    await world.repeat("code-files", event);
    await world.queues.named("code-files-dead").send(event.body);
    await world.done("code-files", event);
    await world.workedOff({ process });
    const before = await world.onlyFileOf(owner);
    const answers = [await world.allocate(owner, "customer-1")];
    const redrive = count(injectionByHand(() => world.redrive("code-files")));

    expect(await redrive.fire()).toBe(1);
    await world.workedOff({ process });

    await world.prove(owner, { codes, answers });
    expect(await world.onlyFileOf(owner)).toEqual(before);
    expect(before).toMatchObject({ status: "ready", codes: 100 });
    proved("the file, its codes and their holders as they were");
  });
});
