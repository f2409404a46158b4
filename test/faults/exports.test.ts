import { afterAll, beforeAll, describe, expect } from "vitest";
import type { DynamoDbEngine } from "../../local/dynamodb/engine.ts";
import type { Message } from "../../local/queues/message.ts";
import { customers, someCodes } from "../support/codes.ts";
import { engines } from "../support/engines.ts";
import { inParallel } from "../support/in-parallel.ts";
import { fault } from "./fault.ts";
import type { FaultProxy, WireRequest } from "./fault-proxy.ts";
import { aJobWorld, type JobProcess, type JobWorld, type Owner } from "./job-world.ts";
import { deathOf, killAtEvery } from "./kill-at-every.ts";
import {
  answerLost,
  connectionReset,
  failing,
  failureInTheBody,
  heldBack,
  isOperation,
  isTableWrite,
  throttled,
} from "./wire-faults.ts";

const isS3Write = ({ method }: WireRequest): boolean => method !== "GET" && method !== "HEAD";
const isPart = ({ method, path }: WireRequest): boolean => method === "PUT" && path.includes("partNumber=");
const isCompletion = ({ method, path }: WireRequest): boolean =>
  method === "POST" && path.includes("uploadId=");

/** What S3 can do to whoever writes parts, by the name of the fault. */
const weather: Readonly<Record<string, (s3: FaultProxy) => ReturnType<FaultProxy["inject"]>>> = {
  "answers 500 to every second request": (s3) =>
    s3.inject(failing, { matches: isS3Write, share: 0.5, seed: 3 }),
  "says SlowDown to every second request": (s3) =>
    s3.inject(throttled, { matches: isS3Write, share: 0.5, seed: 5 }),
  "resets the connection while a part is sent": (s3) =>
    s3.inject(connectionReset, { matches: isPart, times: 4 }),
  "takes parts and loses its answers": (s3) => s3.inject(answerLost, { matches: isPart, times: 4 }),
  "fails to complete the upload": (s3) => s3.inject(failing, { matches: isCompletion, times: 5 }),
  "says 200 and means 500 when it is to complete the upload": (s3) =>
    s3.inject(failureInTheBody, { matches: isCompletion, times: 2 }),
  "completes the upload and loses its answer": (s3) =>
    s3.inject(answerLost, { matches: isCompletion, times: 1 }),
};

describe("an export", () => {
  let engine: DynamoDbEngine;
  let world: JobWorld;
  let healthy: JobProcess;
  /** Rows of 1.6 KB: two parts, for 5 MiB is the least that S3 takes. */
  let large: Owner & { readonly codes: readonly string[] };
  beforeAll(async () => {
    engine = await engines[0]!.start();
    world = await aJobWorld(engine);
    healthy = await world.aProcess();
    const longest = (first: string): string => first + "😀".repeat(127);
    large = await world.aPoolGivenOut(4_500, {
      occurenceId: longest("o"),
      seriesId: longest("s"),
      actionId: longest("a"),
    });
  });
  afterAll(async () => {
    await world.close();
    await engine.close();
  });

  const areWhole = async (exportIds: readonly string[]) => {
    const texts = new Set<string>();
    for (const exportId of exportIds) texts.add(await world.exportedText(exportId));
    expect(texts.size).toBe(1);
    await world.prove(large, { codes: large.codes, exported: [...texts][0]!, writtenByHand: true });
  };

  fault("is killed before and after each part and each change of its record", async ({ count, proved }) => {
    const exportIds: string[] = [];
    const messages: Message[] = [];
    const run = async (doomed: JobProcess) => {
      const exportId = await world.askForExport(large);
      exportIds.push(exportId);
      const message = await world.take("exports");
      await deathOf(doomed.work("exports", message));
      // Nothing is shown before it is whole.
      const { status } = await world.exportOf(exportId);
      if (status === "succeeded") await world.exportedText(exportId);
      messages.push(message);
    };
    await killAtEvery(world, { on: "s3", matches: isS3Write, count }, run);
    await killAtEvery(world, { on: "table", matches: isTableWrite, count }, run);

    for (const message of messages) await world.giveBack("exports", message);
    await world.workedOff({ process: healthy });

    await areWhole(exportIds);
    proved("whole or not to be had; after the next delivery whole, size and digest as told");
  });

  for (const [name, begin] of Object.entries(weather))
    fault(`is written while S3 ${name}`, async ({ count, proved }) => {
      const process = await world.aProcess();
      const storm = count(begin(process.s3));

      const exportId = await world.askForExport(large);
      await world.workedOff({ process });
      storm.stop();

      await areWhole([exportId]);
      proved("whole, every row once, size and digest as told");
    });

  fault("is written while S3 is down, until all tries are over", async ({ count, proved }) => {
    const process = await world.aProcess();
    const outage = count(process.s3.inject(failing));

    const exportId = await world.askForExport(large);
    await world.workedOff({ process });
    const failed = await world.exportOf(exportId);
    outage.stop();
    expect(await world.redrive("exports")).toBe(1);
    await world.workedOff({ process });

    expect(failed).toMatchObject({ status: "failed", objectKey: null });
    await areWhole([exportId]);
    proved("it says that it failed; redriven, it is whole");
  });

  fault("is delivered again while the first run is still at it", async ({ count, proved }) => {
    const slow = await world.aProcess();
    const held = heldBack();
    count(slow.s3.inject(held.fault, { matches: isS3Write }));
    const runs = [slow];

    const exportId = await world.askForExport(large);
    const source = world.workOff({ process: () => runs.shift() ?? healthy });
    await held.arrived;
    await world.giveBackAll("exports");
    // Told as well: that is noted on the record after the event is on the bus.
    await world.until(async () =>
      expect(await world.exportOf(exportId)).toMatchObject({ status: "succeeded", told: "ExportReady" }),
    );
    const first = await world.exportOf(exportId);
    held.release();
    await world.queuesAreEmpty();
    await source.stop();

    expect(await world.exportOf(exportId)).toEqual(first);
    await areWhole([exportId]);
    proved("who was first counts, and stays as it is");
  });

  fault("is built while codes are given out", async ({ count, proved }) => {
    const codes = someCodes(900);
    const owner = await world.aPromocode();
    await world.drop(owner, codes);
    await world.workedOff({ process: healthy });
    const answers = await inParallel(customers(200), (customerId) => world.allocate(owner, customerId));

    // At the first look into the pool, in the middle, near the end.
    for (const passed of [0, 8, 15]) {
      const process = await world.aProcess();
      const held = heldBack();
      count(process.table.inject(held.fault, { matches: isOperation("Query"), after: passed, times: 1 }));
      const exportId = await world.askForExport(owner);
      const message = await world.take("exports");
      const building = process.work("exports", message);
      await held.arrived;
      const meanwhile = await inParallel(customers(60, `at-${passed}`), (customerId) =>
        world.allocate(owner, customerId),
      );
      held.release();
      expect(await building).toBe(true);
      await world.done("exports", message);

      const told = world.holdersIn(await world.exportedText(exportId));
      const before = answers.map(({ customerId, uniqueCode }) => `${customerId},${uniqueCode}`);
      answers.push(...meanwhile);
      const all = answers.map(({ customerId, uniqueCode }) => `${customerId},${uniqueCode}`);
      expect(told).toEqual(expect.arrayContaining(before));
      expect(all).toEqual(expect.arrayContaining([...told]));
      expect(new Set(told).size).toBe(told.length);
    }

    const exportId = await world.askForExport(owner);
    await world.workedOff({ process: healthy });
    await world.countStream();
    const exported = await world.exportedText(exportId);
    await world.prove(owner, { codes, answers, exported, counted: true });
    proved(
      "it has what was answered before it was asked for, and nothing that is not so; counts equal the scan",
    );
  });
});
