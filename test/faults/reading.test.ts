import { afterAll, beforeAll, describe, expect } from "vitest";
import type { DynamoDbEngine } from "../../local/dynamodb/engine.ts";
import { customers, someCodes } from "../support/codes.ts";
import { engines } from "../support/engines.ts";
import { fault } from "./fault.ts";
import type { FaultProxy, WireRequest } from "./fault-proxy.ts";
import { aJobWorld, type JobProcess, type JobWorld, type Owner } from "./job-world.ts";
import {
  answerCutOff,
  answerDripping,
  answerStalled,
  answerTruncated,
  connectionReset,
  failing,
  throttled,
} from "./wire-faults.ts";

const isGet = ({ method }: WireRequest): boolean => method === "GET";
const isRead = ({ method }: WireRequest): boolean => method === "GET" || method === "HEAD";

/** What S3 can do to whoever reads, by the name of the fault. */
const weather: Readonly<Record<string, (s3: FaultProxy) => ReturnType<FaultProxy["inject"]>>> = {
  "answers 500 three times in a row": (s3) => s3.inject(failing, { matches: isRead, times: 3 }),
  "says SlowDown four times in a row": (s3) => s3.inject(throttled, { matches: isRead, times: 4 }),
  "resets the connection before it answers": (s3) =>
    s3.inject(connectionReset, { matches: isRead, times: 3 }),
  "sends the body in forty pieces with pauses": (s3) => s3.inject(answerDripping(40, 15), { matches: isGet }),
  "resets the connection in the middle of the body, four times": (s3) =>
    s3.inject(answerTruncated, { matches: isGet, times: 4 }),
  "ends the connection in good order in the middle of the body, four times": (s3) =>
    s3.inject(answerCutOff, { matches: isGet, times: 4 }),
};

describe("S3", () => {
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

  const codes = someCodes(1_500);
  const ids = customers(300);

  const aLoadedPool = async (): Promise<Owner> => {
    const owner = await world.aPromocode();
    await world.drop(owner, someCodes(400));
    await world.workedOff({ process: healthy });
    return owner;
  };
  const isLoaded = async (owner: Owner) => {
    await world.prove(owner, { codes });
    expect(await world.onlyFileOf(owner)).toMatchObject({ status: "ready", rowsRead: 1_500, codes: 1_500 });
  };
  const isAllocated = async (owner: Owner, audienceId: string) => {
    const pool = await world.prove(owner, { codes: someCodes(400) });
    const audience = await world.audienceOf(audienceId);
    expect(audience).toMatchObject({
      status: "succeeded",
      counts: { pool: 300, repeated: 0, default: 0, refused: 0 },
    });
    const held = pool.given.map(({ customerId, uniqueCode }) => `${customerId},${uniqueCode}`);
    expect(world.holdersIn(await world.textOf(audience.result?.objectKey))).toEqual(held.sort());
  };

  for (const [name, begin] of Object.entries(weather)) {
    fault(`${name}, while a loader reads`, async ({ count, proved }) => {
      const owner = await world.aPromocode();
      await world.drop(owner, codes);
      const process = await world.aProcess();
      const storm = count(begin(process.s3));

      await world.workedOff({ process });
      storm.stop();

      await isLoaded(owner);
      proved("every code of the file, once");
    });

    fault(`${name}, while an audience is read`, async ({ count, proved }) => {
      const owner = await aLoadedPool();
      const process = await world.aProcess();
      const storm = count(begin(process.s3));

      const audienceId = await world.dropAudience(owner, ids);
      await world.workedOff({ process });
      storm.stop();

      await isAllocated(owner, await audienceId());
      proved("everybody has one code, and the result tells it");
    });
  }

  fault("falls silent in the middle of a body", async ({ count, proved }) => {
    const loading = await world.aPromocode();
    const allocating = await aLoadedPool();
    const process = await world.aProcess();
    count(process.s3.inject(answerStalled, { matches: isGet, times: 2 }));

    await world.drop(loading, codes);
    const audienceId = await world.dropAudience(allocating, ids);
    await world.workedOff({ process });

    await isLoaded(loading);
    await isAllocated(allocating, await audienceId());
    proved("the body was taken up where it stopped: every code, every customer");
  });

  fault("is down for a while: two deliveries fail", async ({ count, proved }) => {
    const owner = await world.aPromocode();
    await world.drop(owner, codes);
    const event = await world.take("code-files");
    const process = await world.aProcess();
    const outage = count(process.s3.inject(failing));

    expect(await process.work("code-files", event)).toBe(false);
    expect(await process.work("code-files", event)).toBe(false);
    await world.prove(owner, { codes: [] });
    outage.stop();
    await world.giveBack("code-files", event);
    await world.workedOff({ process });

    await isLoaded(owner);
    proved("nothing in the pool while it is down, everything afterwards");
  });

  fault("does not take the list of refused rows, to the last try", async ({ count, proved }) => {
    const owner = await world.aPromocode();
    const process = await world.aProcess();
    const outage = count(
      process.s3.inject(failing, { matches: ({ method }) => method === "PUT" || method === "POST" }),
    );
    await world.drop(
      owner,
      Array.from({ length: 40 }, (_, at) => `not a code ${at}`),
    );

    await world.workedOff({ process });
    const failed = await world.onlyFileOf(owner);
    outage.stop();
    expect(await world.redrive("code-files")).toBe(1);
    await world.workedOff({ process });

    expect(failed).toMatchObject({ status: "failed", failureCode: "load-failed" });
    const refused = await world.onlyFileOf(owner);
    expect(refused).toMatchObject({ status: "failed", failureCode: "no-valid-codes", rejected: 40 });
    const list = await world.textOf(`rejects/${refused.fileId}.csv`);
    expect(list.trimEnd().split("\n")).toHaveLength(41);
    await world.prove(owner, { codes: [] });
    proved("the file says that it failed; redriven, it says what is wrong with its rows");
  });
});
