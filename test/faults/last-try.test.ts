import { afterAll, beforeAll, describe, expect } from "vitest";
import type { DynamoDbEngine } from "../../local/dynamodb/engine.ts";
import { mostTries } from "../../shared/queues/most-receives.ts";
import { customers, someCodes } from "../support/codes.ts";
import { engines } from "../support/engines.ts";
import { fault } from "./fault.ts";
import type { WireRequest } from "./fault-proxy.ts";
import { aJobWorld, type JobProcess, type JobQueue, type JobWorld } from "./job-world.ts";
import { deathOf } from "./kill-at-every.ts";
import { crashBefore, isOperation } from "./wire-faults.ts";

const isS3Write = ({ method }: WireRequest): boolean => method === "PUT" || method === "POST";

describe("Lambda ends a run on its last try", () => {
  let engine: DynamoDbEngine;
  let world: JobWorld;
  let healthy: JobProcess;
  beforeAll(async () => {
    engine = await engines[0]!.start();
    world = await aJobWorld(engine);
    healthy = await world.aProcess();
  });
  afterAll(async () => {
    await world.close();
    await engine.close();
  });

  /** All tries but the last one never began; the last one dies. */
  const failAllTries = async (queue: JobQueue, doomed: JobProcess) => {
    for (let tries = 1; tries < mostTries; tries += 1) await world.giveBack(queue, await world.take(queue));
    const message = await world.take(queue);
    expect(message.receiveCount).toBe(mostTries);
    expect(await deathOf(doomed.work(queue, message))).toBe("died");
    await world.giveBack(queue, message);
  };

  fault("of a loader", async ({ count, proved }) => {
    const owner = await world.aPromocode();
    const codes = someCodes(100);
    const doomed = await world.aProcess();
    count(doomed.table.inject(crashBefore, { matches: isOperation("TransactWriteItems"), times: 1 }));
    await world.drop(owner, codes);

    await failAllTries("code-files", doomed);
    const left = await world.onlyFileOf(owner);
    await world.letLockRunOut(owner);
    await world.workedOff({ process: healthy });
    const told = await world.onlyFileOf(owner);
    await world.prove(owner, { codes: [] });
    expect(await world.redrive("code-files")).toBe(1);
    await world.workedOff({ process: healthy });

    expect([left.status, told.status, told.failureCode]).toEqual(["loading", "failed", "load-failed"]);
    await world.prove(owner, { codes });
    expect(await world.onlyFileOf(owner)).toMatchObject({ status: "ready", codes: 100 });
    proved(
      "the next delivery tells the failure, the message is in the dead letters; redriven, the file is whole",
    );
  });

  fault("of an export", async ({ count, proved }) => {
    const owner = await world.aPromocode();
    const codes = someCodes(50);
    await world.drop(owner, codes);
    await world.workedOff({ process: healthy });
    const answers = [await world.allocate(owner, "customer-1")];
    const doomed = await world.aProcess();
    count(doomed.s3.inject(crashBefore, { matches: isS3Write, times: 1 }));
    const exportId = await world.askForExport(owner);

    await failAllTries("exports", doomed);
    const left = await world.exportOf(exportId);
    await world.workedOff({ process: healthy });
    const told = await world.exportOf(exportId);
    expect(await world.redrive("exports")).toBe(1);
    await world.workedOff({ process: healthy });

    expect([left.status, told.status]).toEqual(["running", "failed"]);
    await world.prove(owner, { codes, answers, exported: await world.exportedText(exportId) });
    proved("the next delivery tells the failure; redriven, the export is whole");
  });

  fault("of an audience", async ({ count, proved }) => {
    const owner = await world.aPromocode();
    const codes = someCodes(200);
    await world.drop(owner, codes);
    await world.workedOff({ process: healthy });
    const doomed = await world.aProcess();
    count(
      doomed.s3.inject(crashBefore, { matches: (request) => request.path.includes("partNumber"), times: 1 }),
    );
    const audienceId = await world.dropAudience(owner, customers(120));

    await failAllTries("audiences", doomed);
    const left = await world.audienceOf(await audienceId());
    const given = (await world.prove(owner, { codes })).given;
    await world.workedOff({ process: healthy });
    const told = await world.audienceOf(await audienceId());
    expect(await world.redrive("audiences")).toBe(1);
    await world.workedOff({ process: healthy });

    expect([left.status, told.status, told.failure?.code]).toEqual(["running", "failed", "audience-failed"]);
    const { result, counts, status } = await world.audienceOf(await audienceId());
    expect([status, counts.pool]).toEqual(["succeeded", 120]);
    const pool = await world.prove(owner, { codes });
    expect(pool.given).toEqual(given);
    expect(world.holdersIn(await world.textOf(result?.objectKey))).toEqual(
      pool.given.map(({ customerId, uniqueCode }) => `${customerId},${uniqueCode}`).sort(),
    );
    proved(
      "the next delivery tells the failure; redriven, everybody has the code they had, the result tells all",
    );
  });
});
