import { afterAll, beforeAll, describe, expect } from "vitest";
import type { DynamoDbEngine } from "../../local/dynamodb/engine.ts";
import type { Message } from "../../local/queues/message.ts";
import { customers, someCodes } from "../support/codes.ts";
import { engines } from "../support/engines.ts";
import { inParallel } from "../support/in-parallel.ts";
import { fault } from "./fault.ts";
import { aJobWorld, type JobProcess, type JobWorld, type Owner } from "./job-world.ts";
import { deathOf, killAtEvery } from "./kill-at-every.ts";
import { heldBack, isOperation, isTableWrite, throttled } from "./wire-faults.ts";

const isBatchWrite = isOperation("BatchWriteItem");

describe("a withdrawal", () => {
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

  const load = async (owner: Owner, codes: readonly string[], name?: string): Promise<string> => {
    await world.drop(owner, codes, name);
    const event = await world.take("code-files");
    expect(await healthy.work("code-files", event)).toBe(true);
    await world.done("code-files", event);
    return (await world.filesOf(owner)).at(-1)!.fileId;
  };

  /** Its free codes are in nobody's reach, and whoever had one has it. */
  const isWithdrawn = async (
    owner: Owner,
    codes: readonly string[],
    answers: Awaited<ReturnType<JobWorld["allocate"]>>[],
  ) => {
    const pool = await world.prove(owner, { codes, answers });
    expect([...pool.statusByFile.values()]).toEqual(["withdrawn"]);
    const given = answers.filter(({ source }) => source === "pool").length;
    expect(pool.free).toEqual([]);
    expect(pool.given).toHaveLength(given);
    expect(pool.withdrawn).toHaveLength(codes.length - given);
    expect((await world.allocate(owner, "somebody-else")).source).toBe("default");
  };

  fault("is killed before and after each of its writes", async ({ count, proved }) => {
    const codes = someCodes(24);
    const messages: Message[] = [];
    const withdrawn: { owner: Owner; answers: Awaited<ReturnType<JobWorld["allocate"]>>[] }[] = [];
    await killAtEvery(world, { on: "table", matches: isTableWrite, count }, async (doomed) => {
      const owner = await world.aPromocode();
      const fileId = await load(owner, codes);
      const answers = await inParallel(customers(6), (customerId) => world.allocate(owner, customerId));
      withdrawn.push({ owner, answers });
      expect((await world.withdraw(owner, fileId)).status).toBe(202);
      const message = await world.take("withdrawals");
      await deathOf(doomed.work("withdrawals", message));
      // Until it is sealed, whoever knows the file may give a code of it: that one is the customer's.
      answers.push(await world.allocate(owner, "late"));
      messages.push(message);
    });

    for (const message of messages) await world.giveBack("withdrawals", message);
    await world.workedOff({ process: healthy });

    for (const { owner, answers } of withdrawn) await isWithdrawn(owner, codes, answers);
    proved("no free code left, every holder keeps theirs, the file says so");
  });

  fault(
    "is delivered again while the first run is still at it, under throttling",
    async ({ count, proved }) => {
      const codes = someCodes(300);
      const owner = await world.aPromocode();
      const fileId = await load(owner, codes);
      const answers = await inParallel(customers(50), (customerId) => world.allocate(owner, customerId));
      const slow = await world.aProcess();
      const held = heldBack();
      count(slow.table.inject(held.fault, { matches: isTableWrite }));
      const other = await world.aProcess();
      count(other.table.inject(throttled, { matches: isTableWrite, share: 0.3, seed: 7 }));
      await world.withdraw(owner, fileId);
      const message = await world.take("withdrawals");
      const sealing = slow.work("withdrawals", message);
      await held.arrived;
      await world.giveBack("withdrawals", message);

      await world.workedOff({ process: other });
      held.release();
      expect(await sealing).toBe(true);

      await isWithdrawn(owner, codes, answers);
      proved("no free code left, every holder keeps theirs, the file says so");
    },
  );

  fault("comes while a loader of another file runs that has its codes", async ({ count, proved }) => {
    const owner = await world.aPromocode();
    const fileId = await load(owner, someCodes(100, "OLD"), "first.csv");
    const answers = await inParallel(customers(20), (customerId) => world.allocate(owner, customerId));
    await world.drop(owner, [...someCodes(100, "OLD"), ...someCodes(100, "NEW")], "second.csv");
    const event = await world.take("code-files");
    const loader = await world.aProcess();
    const held = heldBack();
    count(loader.table.inject(held.fault, { matches: isBatchWrite }));

    const loading = loader.work("code-files", event);
    await held.arrived;
    await world.withdraw(owner, fileId);
    const sealing = world.workOff({ process: healthy });
    await world.until(async () => expect(await world.statusesOf(owner)).toContain("withdrawn"));
    await sealing.stop();
    held.release();
    expect(await loading).toBe(true);
    await world.done("code-files", event);
    const later = await inParallel(customers(30, "later"), (customerId) => world.allocate(owner, customerId));

    const pool = await world.prove(owner, {
      codes: [...someCodes(100, "OLD"), ...someCodes(100, "NEW")],
      answers: [...answers, ...later],
    });
    expect([...pool.statusByFile.values()].sort()).toEqual(["ready", "withdrawn"]);
    expect(later.every(({ source, fileId: of }) => source === "pool" && of !== fileId)).toBe(true);
    expect(pool.free.filter((code) => code.startsWith("OLD"))).toEqual([]);
    proved("no withdrawn code comes back by the other file, whose own are all there");
  });
});
