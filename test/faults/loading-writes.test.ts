import { afterAll, beforeAll, describe, expect } from "vitest";
import type { DynamoDbEngine } from "../../local/dynamodb/engine.ts";
import { someCodes } from "../support/codes.ts";
import { engines } from "../support/engines.ts";
import { fault } from "./fault.ts";
import { aJobWorld, type JobProcess, type JobWorld, type Owner } from "./job-world.ts";
import { answerLost, failing, isOperation, isTableWrite, throttled, unprocessed } from "./wire-faults.ts";

const isBatchWrite = isOperation("BatchWriteItem");
const isSend = isOperation("SendMessage");

describe("a loader's writes", () => {
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

  /** Over once it was asked for so often: before each batch of cells, and before it is tried again. */
  const timeFor = (looks: number) => {
    let left = looks;
    return () => (left-- > 0 ? 900_000 : 1_000);
  };
  const codes = someCodes(2_500);
  const isWhole = async (owner: Owner) => {
    await world.prove(owner, { codes });
    expect(await world.onlyFileOf(owner)).toMatchObject({ status: "ready", codes: 2_500 });
  };

  for (const percent of [10, 50])
    fault(`${percent} % are throttled`, async ({ count, proved }) => {
      const owner = await world.aPromocode();
      const storm = count(
        process.table.inject(throttled, { matches: isTableWrite, share: percent / 100, seed: percent }),
      );

      await world.drop(owner, codes);
      await world.workedOff({ process });
      storm.stop();

      await isWhole(owner);
      proved("every code of the file, once");
    });

  fault("are done by seven tenths, the rest given back as unprocessed", async ({ count, proved }) => {
    const owner = await world.aPromocode();
    // Of a single item seven tenths is none: every third request gets through.
    const storm = count(process.table.inject(unprocessed(0.7), { matches: isBatchWrite, share: 0.67 }));

    await world.drop(owner, codes);
    await world.workedOff({ process });
    storm.stop();

    await isWhole(owner);
    proved("every code of the file, once");
  });

  fault("are given back as unprocessed altogether, nine times in ten", async ({ count, proved }) => {
    const owner = await world.aPromocode();
    const storm = count(process.table.inject(unprocessed(0), { matches: isBatchWrite, share: 0.9 }));

    await world.drop(owner, someCodes(300));
    await world.workedOff({ process });
    storm.stop();

    await world.prove(owner, { codes: someCodes(300) });
    expect(await world.onlyFileOf(owner)).toMatchObject({ status: "ready", codes: 300 });
    proved("every code of the file, once");
  });

  fault("are given back as unprocessed for ever, until all tries are over", async ({ count, proved }) => {
    const owner = await world.aPromocode();
    const storm = count(process.table.inject(unprocessed(0), { matches: isBatchWrite }));

    await world.drop(owner, codes);
    await world.workedOff({ process, clock: () => timeFor(12) });
    await world.prove(owner, { codes: [] });
    const failed = await world.onlyFileOf(owner);
    storm.stop();
    expect(await world.redrive("code-files")).toBe(1);
    await world.workedOff({ process });

    expect(failed).toMatchObject({ status: "failed", failureCode: "load-failed", codes: 0 });
    await isWhole(owner);
    proved("nothing in the pool and the file says so; redriven, it is whole");
  });

  fault("of which each loses its first answer, but for the cells", async ({ count, proved }) => {
    const owner = await world.aPromocode();
    await world.drop(owner, codes);
    const event = await world.take("code-files");
    const operations = ["PutItem", "UpdateItem", "TransactWriteItems"] as const;
    const losses = operations.map((operation) =>
      count(process.table.inject(answerLost, { matches: isOperation(operation), times: 1 })),
    );

    expect(await process.work("code-files", event)).toBe(true);
    for (const loss of losses) loss.stop();
    await world.done("code-files", event);

    await isWhole(owner);
    proved("the file is whole after the first delivery: who repeats a write knows its own");
  });

  fault(
    "come to an end with the time, and the queue loses the answer to the message",
    async ({ count, proved }) => {
      const owner = await world.aPromocode();
      await world.drop(owner, codes);
      const event = await world.take("code-files");
      const loss = count(world.sqs.inject(answerLost, { matches: isSend, times: 1 }));

      expect(await process.work("code-files", event, timeFor(2))).toBe(true);
      await world.done("code-files", event);
      loss.stop();
      // Sent twice then: both go on, one after the other or side by side.
      expect(world.queues.named("code-files").counts().visible).toBe(2);
      await world.workedOff({ process });

      await isWhole(owner);
      proved("two messages go on, the file is whole, each code once");
    },
  );

  fault("come to an end with the time, and the queue is down", async ({ count, proved }) => {
    const owner = await world.aPromocode();
    await world.drop(owner, codes);
    const event = await world.take("code-files");
    const outage = count(world.sqs.inject(failing, { matches: isSend }));

    expect(await process.work("code-files", event, timeFor(2))).toBe(false);
    outage.stop();
    await world.giveBack("code-files", event);
    await world.workedOff({ process });

    await isWhole(owner);
    proved("the first message comes again and goes on, the file is whole");
  });
});
