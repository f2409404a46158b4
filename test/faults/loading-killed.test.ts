import { afterAll, beforeAll, describe, expect } from "vitest";
import type { DynamoDbEngine } from "../../local/dynamodb/engine.ts";
import type { Message } from "../../local/queues/message.ts";
import { someCodes } from "../support/codes.ts";
import { engines } from "../support/engines.ts";
import { fault, injectionByHand } from "./fault.ts";
import { aJobWorld, type JobProcess, type JobWorld, type Owner } from "./job-world.ts";
import { deathOf, killAtEvery } from "./kill-at-every.ts";
import { heldBack, isOperation, isTableWrite } from "./wire-faults.ts";

const isBatchWrite = isOperation("BatchWriteItem");
const isPublication = isOperation("TransactWriteItems");
const isSend = isOperation("SendMessage");

describe("a loader", () => {
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

  const isWholeOrAbsent = async (owner: Owner, codes: readonly string[]) => {
    const [file] = await world.filesOf(owner);
    await world.prove(owner, { codes: file?.status === "ready" ? codes : [] });
  };
  const isWhole = async (owner: Owner, codes: readonly string[]) => {
    await world.prove(owner, { codes });
    expect(await world.onlyFileOf(owner)).toMatchObject({ status: "ready", codes: codes.length });
  };

  fault("is killed before and after each of its writes", async ({ count, proved }) => {
    const codes = someCodes(400);
    const owners: Owner[] = [];
    const events: Message[] = [];
    await killAtEvery(world, { on: "table", matches: isTableWrite, count }, async (doomed) => {
      const owner = await world.aPromocode();
      owners.push(owner);
      await world.drop(owner, codes);
      const event = await world.take("code-files");
      await deathOf(doomed.work("code-files", event));
      await isWholeOrAbsent(owner, codes);
      await world.letLockRunOut(owner);
      events.push(event);
    });

    for (const event of events) await world.giveBack("code-files", event);
    await world.workedOff({ process: healthy });

    for (const owner of owners) await isWhole(owner, codes);
    proved("nothing of the file in the pool, or all of it; all of it after the next delivery");
  });

  /** Over once so many batches of cells were begun. */
  const timeFor = (batches: number) => {
    let left = batches;
    return () => (left-- > 0 ? 900_000 : 1_000);
  };

  fault("runs out of time again and again", async ({ count, proved }) => {
    const owner = await world.aPromocode();
    const codes = someCodes(2_500);
    await world.drop(owner, codes);
    const end = count(injectionByHand(() => timeFor(3)));
    for (let ready = false; !ready; ) {
      const message = await world.take("code-files");
      expect(await healthy.work("code-files", message, end.fire())).toBe(true);
      await world.done("code-files", message);
      await isWholeOrAbsent(owner, codes);
      ready = (await world.onlyFileOf(owner)).status === "ready";
    }

    expect(end.injected).toBeGreaterThan(2);
    await isWhole(owner, codes);
    expect((await world.onlyFileOf(owner)).attempt).toBe(end.injected);
    await world.queuesAreEmpty();
    proved("each run went on where the last one was, the file is whole, no message left");
  });

  fault("is killed at each write while it hands over to the next run", async ({ count, proved }) => {
    const codes = someCodes(1_500);
    const owners: Owner[] = [];
    const events: Message[] = [];
    const toHandOver = async (doomed: JobProcess) => {
      const owner = await world.aPromocode();
      owners.push(owner);
      await world.drop(owner, codes);
      const event = await world.take("code-files");
      await deathOf(doomed.work("code-files", event, timeFor(2)));
      await isWholeOrAbsent(owner, []);
      await world.letLockRunOut(owner);
      events.push(event, ...(await world.takeRest("code-files")));
    };
    // The lock and the file's record were killed at above: from the first cells on.
    const matches = (request: Parameters<typeof isTableWrite>[0]) =>
      isTableWrite(request) && (isBatchWrite(request) || request.body.includes("checkpoint"));
    await killAtEvery(world, { on: "table", matches, count }, toHandOver);
    for (const isSent of [false, true]) {
      const doomed = await world.aProcess();
      const before = world.sqs.seen(isSend);
      const kill = world.sqs.inject(
        async ({ carryOut, reset }) => {
          if (isSent && kill.injected === 1) await carryOut();
          doomed.kill();
          reset();
        },
        { matches: isSend },
      );
      await toHandOver(doomed);
      // The dead one's own repetitions are dead, too.
      await world.until(async () => expect(world.sqs.seen(isSend)).toBe(before + 5));
      count(kill).stop();
    }

    for (const event of events) await world.giveBack("code-files", event);
    await world.workedOff({ process: healthy });

    for (const owner of owners) await isWhole(owner, codes);
    proved("nothing of the file was to be seen, all of it after the next delivery");
  });

  fault(
    "sleeps while it writes cells, and wakes up after another run published",
    async ({ count, proved }) => {
      const owner = await world.aPromocode();
      const codes = someCodes(300);
      await world.drop(owner, codes);
      const event = await world.take("code-files");
      const zombie = await world.aProcess();
      const sleep = heldBack();
      count(zombie.table.inject(sleep.fault, { matches: isBatchWrite }));
      const waking = zombie.work("code-files", event);
      await sleep.arrived;

      await world.letLockRunOut(owner);
      expect(await healthy.work("code-files", event)).toBe(true);
      const answers = await Promise.all(
        Array.from({ length: 40 }, (_, at) => world.allocate(owner, `customer-${at}`)),
      );
      await isWhole(owner, codes);
      sleep.release();
      await waking;
      await world.done("code-files", event);
      await world.workedOff({ process: healthy });

      await world.prove(owner, { codes, answers });
      await isWhole(owner, codes);
      proved("what it wrote is nowhere to be seen, who had a code has it");
    },
  );

  fault("sleeps before it publishes, and wakes up after another run published", async ({ count, proved }) => {
    const owner = await world.aPromocode();
    const codes = someCodes(300);
    await world.drop(owner, codes);
    const event = await world.take("code-files");
    const zombie = await world.aProcess();
    const sleep = heldBack();
    count(zombie.table.inject(sleep.fault, { matches: isPublication }));
    const waking = zombie.work("code-files", event);
    await sleep.arrived;

    await world.letLockRunOut(owner);
    expect(await healthy.work("code-files", event)).toBe(true);
    const published = await world.onlyFileOf(owner);
    const answers = [await world.allocate(owner, "customer-1")];
    sleep.release();
    await waking;
    await world.done("code-files", event);
    await world.workedOff({ process: healthy });

    await world.prove(owner, { codes, answers });
    expect(await world.onlyFileOf(owner)).toEqual(published);
    proved("its publication is refused, the file is as the other run published it");
  });

  fault("loses its lock to another file that has the same codes", async ({ count, proved }) => {
    const owner = await world.aPromocode();
    const codes = someCodes(300);
    await world.drop(owner, codes, "first.csv");
    const first = await world.take("code-files");
    const slow = await world.aProcess();
    const sleep = heldBack();
    count(slow.table.inject(sleep.fault, { matches: isPublication }));
    const waking = slow.work("code-files", first);
    await sleep.arrived;
    await world.drop(owner, [...codes, ...someCodes(20, "MORE")], "second.csv");
    const second = await world.take("code-files");

    await world.letLockRunOut(owner);
    expect(await healthy.work("code-files", second)).toBe(true);
    sleep.release();
    expect(await waking).toBe(true);
    for (const message of [first, second]) await world.done("code-files", message);
    await world.workedOff({ process: healthy });

    await world.prove(owner, { codes: [...codes, ...someCodes(20, "MORE")] });
    const files = new Map((await world.filesOf(owner)).map((file) => [file.fileName, file]));
    expect(files.get("second.csv")).toMatchObject({ status: "ready", codes: 320, duplicatesInPool: 0 });
    expect(files.get("first.csv")).toMatchObject({ status: "ready", codes: 0, duplicatesInPool: 300 });
    proved("each code in one file, the loser compared again and brought none");
  });

  fault("works on a promotion that is archived meanwhile", async ({ count, proved }) => {
    const owner = await world.aPromocode();
    const codes = someCodes(100);
    await world.drop(owner, codes);
    const event = await world.take("code-files");
    const process = await world.aProcess();
    const held = heldBack();
    count(process.table.inject(held.fault, { matches: isBatchWrite }));

    const loading = process.work("code-files", event);
    await held.arrived;
    await world.archive(owner);
    held.release();
    expect(await loading).toBe(true);
    await world.done("code-files", event);
    await world.drop(owner, someCodes(10, "LATE"), "late.csv");
    await world.workedOff({ process: healthy });

    const pool = await world.prove(owner, { codes });
    const { status, body } = await world.allocateRaw(owner, "customer-1");
    expect([status, body.code]).toEqual([409, "promotion-not-active"]);
    expect([...pool.statusByFile.values()].sort()).toEqual(["failed", "ready"]);
    proved("the file is whole, the next one is refused, nobody gets a code of either");
  });
});
