import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { DynamoDbEngine } from "../../local/dynamodb/engine.ts";
import type { Allocation } from "../../shared/contract/allocations.ts";
import type { PersonalizedPromocode } from "../../shared/domain/promocode.ts";
import { holderOf, tombstone } from "../../shared/pool/cell.ts";
import { engines } from "../support/engines.ts";
import { inParallel } from "../support/in-parallel.ts";
import { anErasureWorld, type ErasureWorld, longCodes } from "./erasure-world.ts";

let persons = 0;

describe.each(engines)("erasing a person while others work, on $name", ({ start }) => {
  let engine: DynamoDbEngine;
  let world: ErasureWorld;
  beforeAll(async () => {
    engine = await start();
    world = await anErasureWorld(engine);
  });
  afterAll(async () => {
    world.close();
    await engine.close();
  });

  const aPerson = () => `racing person ${++persons}`;
  const codesOf = (allocations: readonly Allocation[]) =>
    allocations.map(({ uniqueCode }) => uniqueCode).sort();
  const fresh = async ({ promocodeId }: PersonalizedPromocode) =>
    (await world.promocodes.get(promocodeId)) as PersonalizedPromocode;

  /** No code in two hands, none lost: each is free, held by whoever was answered with it, or used by nobody. */
  const expectAccountedFor = async (
    promocode: PersonalizedPromocode,
    codes: readonly string[],
    answers: readonly Allocation[],
  ) => {
    const { tokenByCode } = await world.holders(promocode);
    const cells = await world.cellsOf(promocode);
    expect(cells.flatMap((cell) => cell.codes).sort()).toEqual([...codes].sort());
    const customerByCode = new Map<string, string>();
    for (const { uniqueCode, customerId, source } of answers) {
      if (source !== "pool") continue;
      expect(customerByCode.get(uniqueCode) ?? customerId).toBe(customerId);
      customerByCode.set(uniqueCode, customerId);
      const token = tokenByCode.get(uniqueCode);
      expect(token).toBeDefined();
      if (token !== tombstone) expect(holderOf(token!).customerId).toBe(customerId);
    }
    const tokens = [...tokenByCode.values()].filter((token) => token !== tombstone);
    expect(new Set(tokens).size).toBe(tokens.length);
    return { tokenByCode, tokens };
  };

  it.each(["Consistent", "Varying"] as const)(
    "gives no code to two and loses none when they keep asking under %s",
    { timeout: 60_000 },
    async (allocationMethod) => {
      const codes = longCodes(80);
      const promocode = await world.aPromocode(codes, { allocationMethod });
      const customerId = aPerson();
      const others = Array.from({ length: 20 }, (_, at) => `other ${at}`);
      const answers: Allocation[] = [];
      let asked = 0;
      let isOver = false;
      const askOn = async (who: () => string) => {
        while (!isOver && asked < 600) {
          asked += 1;
          const occurenceId = `send-${asked % 40}`;
          answers.push(await world.allocate(promocode, who(), { occurenceId }));
        }
      };
      const before = await inParallel(
        Array.from({ length: 15 }, (_, at) => `send-${at}`),
        (occurenceId) => world.allocate(promocode, customerId, { occurenceId }),
      );
      const erasureId = await world.anErasure(customerId);
      const { createdAt } = await world.erasures.get(erasureId, new Date());

      const asking = [
        askOn(() => customerId),
        askOn(() => customerId),
        askOn(() => others[asked % others.length]!),
      ];
      expect(await world.run(erasureId)).toBe("waits");
      isOver = true;
      // What the pause is for: those calls end.
      await Promise.all(asking);
      await world.runAll(erasureId);

      const { tokens } = await expectAccountedFor(promocode, codes, [...before, ...answers]);
      // Who is left under that id came after the erasure was asked for, and is found on the usual ways.
      const left = tokens.filter((token) => holderOf(token).customerId === customerId);
      const held = await world.holdingsOf(await fresh(promocode), customerId);
      const fromPool = held.filter(({ source }) => source === "pool");
      expect(fromPool).toHaveLength(left.length);
      expect(held.every(({ timestamp }) => timestamp >= createdAt)).toBe(true);
      if (allocationMethod === "Consistent") expect(left.length).toBeLessThanOrEqual(1);
      expect((await world.erasures.get(erasureId, new Date())).codes).toBeGreaterThanOrEqual(
        allocationMethod === "Consistent" ? 1 : 15,
      );
    },
  );

  it("finds the code that a call took after its intent was removed", async () => {
    // The homes are full: whoever comes now needs an intent, which names a cell of the second file.
    const promocode = await world.aPromocode(longCodes(5));
    await inParallel([1, 2, 3, 4, 5], (at) => world.allocate(promocode, `other ${at}`));
    const refilled = await world.publish(await fresh(promocode), longCodes(5, "R"));
    const customerId = aPerson();
    let goOn = () => {};
    const woken = new Promise<void>((resolve) => {
      goOn = resolve;
    });
    const held = holdAppendTo(world, `c#${promocode.promocodeId}#2#`, woken);
    const underWay = world.allocate(refilled, customerId);
    await held.reached;
    held.stop();
    expect(await world.itemsWith(customerId)).toHaveLength(1);

    const erasureId = await world.anErasure(customerId, new Date(Date.now() + 1));
    expect(await world.run(erasureId)).toBe("waits");
    goOn();
    const { uniqueCode } = await underWay;
    // No intent leads to it, as the trace alone does.
    expect((await world.holders(refilled)).tokenByCode.get(uniqueCode)).toBe(customerId);
    await world.runAll(erasureId);

    expect((await world.holders(refilled)).erased).toEqual([uniqueCode]);
    expect(await world.itemsWith(customerId)).toEqual([]);
    expect((await world.erasures.get(erasureId, new Date())).round).toBeGreaterThan(2);
  });

  it("leaves a new person's code alone, and takes in its first look what a wrong clock dates later", async () => {
    const promocode = await world.aPromocode(longCodes(20));
    const [customerId, other] = [aPerson(), aPerson()];
    const tenMinutesAhead = new Date(Date.now() + 600_000);
    await world.allocate(promocode, customerId, { now: tenMinutesAhead });
    const erasureId = await world.anErasure(customerId);
    expect(await world.run(erasureId)).toBe("waits");
    expect((await world.holders(promocode)).erased).toHaveLength(1);

    const newPersons = await world.allocate(promocode, customerId);
    await world.allocate(promocode, other);
    await world.runAll(erasureId);

    expect((await world.holders(promocode)).erased).toHaveLength(1);
    expect(await world.allocate(promocode, customerId)).toEqual({ ...newPersons, repeated: true });
  });

  it("ends with the later one when it is asked for several times, side by side", async () => {
    const promocode = await world.aPromocode(longCodes(60), { allocationMethod: "Varying" });
    const customerId = aPerson();
    const codes = await inParallel(
      Array.from({ length: 16 }, (_, at) => `send-${at}`),
      (occurenceId) => world.allocate(promocode, customerId, { occurenceId }),
    );

    const now = new Date(Date.now() + 1);
    const ids = await Promise.all([1, 2, 3].map(() => world.anErasure(customerId, now)));
    await Promise.all(ids.map((erasureId) => world.runAll(erasureId)));

    expect(await world.itemsWith(customerId)).toEqual([]);
    expect((await world.holders(promocode)).erased.sort()).toEqual(codesOf(codes));
  });

  it("erases in a file that is being withdrawn: sealed cells keep their size", async () => {
    const codes = longCodes(120);
    const promocode = await world.aPromocode(codes, { allocationMethod: "Varying" });
    const customerId = aPerson();
    const { withdraw } = await import("../../shared/pool/withdrawal.ts");
    const { dynamoPoolStore } = await import("../../shared/storage/pool-store.ts");
    const held = await inParallel(
      Array.from({ length: 25 }, (_, at) => `send-${at}`),
      (occurenceId) => world.allocate(promocode, customerId, { occurenceId }),
    );
    const others = await inParallel(
      Array.from({ length: 10 }, (_, at) => `other ${at}`),
      (other) => world.allocate(promocode, other),
    );
    const [generation] = await world.generationsOf(promocode.promocodeId);
    const erasureId = await world.anErasure(customerId, new Date(Date.now() + 1));

    await Promise.all([
      world.runAll(erasureId),
      withdraw(dynamoPoolStore(promocode.promocodeId), generation!),
    ]);

    const { erased, tokenByCode } = await world.holders(promocode);
    expect(erased.sort()).toEqual(codesOf(held));
    expect(tokenByCode.size).toBe(held.length + others.length);
    const cells = await world.cellsOf(promocode);
    expect(cells.every(({ capacity, tokens }) => capacity === tokens.length)).toBe(true);
    expect(await world.itemsWith(customerId)).toEqual([]);
  });

  it("leaves an export that is under way whole: each row once, with their id or without", async () => {
    const promocode = await world.aPromocode(longCodes(200), { allocationMethod: "Varying" });
    const customerId = aPerson();
    const { exportLines } = await import("../../functions/build-export/export-lines.ts");
    const given = await inParallel(
      Array.from({ length: 60 }, (_, at) => `send-${at}`),
      (occurenceId) => world.allocate(promocode, customerId, { occurenceId }),
    );
    const wanted = { ...promocode, fileId: null, formulaSafe: false, from: null, to: null };
    const linesOf = async (whenHalf?: () => Promise<unknown>) => {
      const lines: string[] = [];
      for await (const piece of exportLines(wanted as unknown as Parameters<typeof exportLines>[0])) {
        lines.push(...piece.lines.toString("utf8").split("\n").filter(Boolean));
        if (lines.length > 20) {
          await whenHalf?.();
          whenHalf = undefined;
        }
      }
      return lines.slice(1).map((line) => line.split(","));
    };
    const before = await linesOf();
    const erasureId = await world.anErasure(customerId, new Date(Date.now() + 1));

    const meanwhile = await linesOf(() => world.runAll(erasureId));
    const after = await linesOf();

    const [ids, codes, rest] = [0, 4, 1].map(
      (column) => (rows: string[][]) => rows.map((row) => (column === 1 ? row.slice(1).join() : row[column])),
    );
    expect(new Set(ids!(before))).toEqual(new Set([customerId]));
    expect(new Set(ids!(meanwhile))).toEqual(new Set([customerId, ""]));
    expect(new Set(ids!(after))).toEqual(new Set([""]));
    for (const rows of [before, meanwhile, after]) expect(codes!(rows).sort()).toEqual(codesOf(given));
    expect(rest!(after).sort()).toEqual(rest!(before).sort());
    expect(rest!(meanwhile).sort()).toEqual(rest!(before).sort());
  });
});

/** The next append to a cell whose key begins so waits before it is sent. */
const holdAppendTo = (
  { dynamoDb }: ErasureWorld,
  prefix: string,
  until: Promise<void>,
): { readonly reached: Promise<void>; stop(): void } => {
  let tell = () => {};
  const reached = new Promise<void>((resolve) => {
    tell = resolve;
  });
  dynamoDb.middlewareStack.add(
    (next) => async (args) => {
      const { Key, UpdateExpression } = args.input as unknown as {
        readonly Key?: unknown;
        readonly UpdateExpression?: string;
      };
      const isAppend = UpdateExpression?.includes("list_append") === true;
      if (isAppend && JSON.stringify(Key).includes(`"${prefix}`)) {
        tell();
        await until;
      }
      return next(args);
    },
    { step: "initialize", name: "held" },
  );
  return { reached, stop: () => dynamoDb.middlewareStack.remove("held") };
};
