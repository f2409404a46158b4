import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Rule } from "../../commands/verify/findings.ts";
import type { DynamoDbEngine } from "../../local/dynamodb/engine.ts";
import { type Cell, type CellAddress, tombstone } from "../../shared/pool/cell.ts";
import type { Generation } from "../../shared/pool/generation.ts";
import { customers, someCodes } from "../support/codes.ts";
import { engines } from "../support/engines.ts";
import { inParallel } from "../support/in-parallel.ts";
import { createTable } from "../support/table.ts";

const loadModules = async () => ({
  ...(await import("@aws-sdk/lib-dynamodb")),
  ...(await import("../support/pool.ts")),
  ...(await import("../../commands/verify/verify-pool.ts")),
  ...(await import("../../shared/allocation/allocate-codes.ts")),
  ...(await import("../../shared/pool/withdrawal.ts")),
  ...(await import("../../shared/storage/cells.ts")),
  ...(await import("../../shared/storage/client.ts")),
  ...(await import("../../shared/storage/code-files.ts")),
  ...(await import("../../shared/storage/counts.ts")),
  ...(await import("../../shared/storage/generations.ts")),
  ...(await import("../../shared/storage/intents.ts")),
  ...(await import("../../shared/storage/pool-store.ts")),
  ...(await import("../../shared/storage/promocodes.ts")),
  ...(await import("../../shared/storage/publication.ts")),
  ...(await import("../../shared/storage/table.ts")),
});
type Modules = Awaited<ReturnType<typeof loadModules>>;

const now = new Date("2026-11-25T09:00:00.000Z");

/** A pool to break: what is in it, and how to write past every condition. */
const openPool = async (service: Modules, promocodeId: string) => {
  const { dynamoDb, tableName, keys } = service;
  const generations = await service.generationsOf(promocodeId);
  const cells: Cell[] = [];
  for (const generation of generations)
    for (let shard = 0; shard < generation.shards; shard += 1)
      for await (const page of service.cellsOfShard(promocodeId, generation, shard)) cells.push(...page);
  const set = async (key: { pk: string; sk: string }, attributes: Record<string, unknown>) => {
    const names = Object.keys(attributes);
    await dynamoDb.send(
      new service.UpdateCommand({
        TableName: tableName(),
        Key: key,
        UpdateExpression: `SET ${names.map((name) => `#${name} = :${name}`).join(", ")}`,
        ExpressionAttributeNames: Object.fromEntries(names.map((name) => [`#${name}`, name])),
        ExpressionAttributeValues: Object.fromEntries(names.map((name) => [`:${name}`, attributes[name]])),
      }),
    );
  };
  const remove = (key: { pk: string; sk: string }) =>
    dynamoDb.send(new service.DeleteCommand({ TableName: tableName(), Key: key }));
  const cellKey = (address: CellAddress) => keys.cell({ promocodeId, ...address });
  const holder = (token: string) => ({ customerId: token, trigger: null });
  return {
    promocodeId,
    generations,
    cells,
    set,
    remove,
    cellKey,
    setCell: ({ address }: Cell, attributes: Record<string, unknown>) => set(cellKey(address), attributes),
    /** A cell that has at least so many holders, codes, and free codes. */
    cellWith: ({ holders = 0, codes = 1, free = 0 }) =>
      cells.find(
        ({ tokens, codes: own, capacity }) =>
          tokens.length >= holders && own.length >= codes && capacity - tokens.length >= free,
      )!,
    /** Everybody who is placed by an intent. */
    placedByIntent: async () => {
      const tokens = cells.flatMap((cell) => cell.tokens.map((token) => ({ token, cell })));
      const intents = await service.intentsOf(
        promocodeId,
        tokens.map(({ token }) => holder(token)),
      );
      return tokens.filter((_, at) => intents[at]);
    },
    intentKey: (token: string) => keys.intent(promocodeId, token, null),
    promocodeKey: keys.promocode(promocodeId),
  };
};
type OpenPool = Awaited<ReturnType<typeof openPool>>;

const fullKey = (service: Modules, { promocodeId }: OpenPool, { address }: Cell) =>
  service.keys.fullCells({ promocodeId, ...address });

/** Each breaks one rule in a pool of two files, most of whose codes are given out. */
const breakages: readonly (readonly [
  Rule,
  string,
  (pool: OpenPool, service: Modules) => Promise<unknown>,
])[] = [
  [
    "overfull",
    "a holder too many",
    (pool) => {
      const cell = pool.cellWith({ holders: 3 });
      return pool.setCell(cell, { k: cell.tokens.length - 1 });
    },
  ],
  [
    "capacity-too-large",
    "a capacity above the codes",
    (pool) => {
      const cell = pool.cellWith({ free: 1 });
      return pool.setCell(cell, { k: cell.codes.length + 1 });
    },
  ],
  ["stamps-differ", "a time that is gone", (pool) => pool.setCell(pool.cellWith({ holders: 1 }), { t: [] })],
  [
    "holder-twice",
    "a holder twice in a cell",
    (pool) => {
      const cell = pool.cellWith({ holders: 2 });
      return pool.setCell(cell, { u: cell.tokens.map(() => cell.tokens[0]) });
    },
  ],
  [
    "holder-twice",
    "a holder in two files",
    (pool) => {
      const one = pool.cells.find(({ tokens }) => tokens.length > 0)!;
      const other = pool.cells.find(
        ({ tokens, address }) => tokens.length > 0 && address.generation !== one.address.generation,
      )!;
      return pool.setCell(other, { u: [one.tokens[0], ...other.tokens.slice(1)] });
    },
  ],
  ["cell-missing", "a cell that is gone", (pool) => pool.remove(pool.cellKey(pool.cells[5]!.address))],
  [
    "code-misplaced",
    "a code of another shard",
    (pool) => {
      const [first, last] = [
        pool.cellWith({ codes: 2 }),
        pool.cells.findLast(({ codes }) => codes.length > 1)!,
      ];
      return pool.setCell(first, { c: [last.codes[0], ...first.codes.slice(1)].join("\n") });
    },
  ],
  [
    "code-misplaced",
    "codes in another order",
    (pool) => {
      const cell = pool.cellWith({ codes: 2 });
      return pool.setCell(cell, { c: [...cell.codes].reverse().join("\n") });
    },
  ],
  [
    "code-twice",
    "a code twice in a cell",
    (pool) => {
      const cell = pool.cellWith({ codes: 2 });
      return pool.setCell(cell, { c: [cell.codes[0], cell.codes[0], ...cell.codes.slice(2)].join("\n") });
    },
  ],
  [
    "code-twice",
    "a code of both files",
    (pool) => {
      // Whichever cell it is put into, the hash of the code decides where that is right.
      const one = pool.cells.find(({ codes }) => codes.length > 0)!;
      const other = pool.cells.find(
        ({ codes, address }) => codes.length > 0 && address.generation !== one.address.generation,
      )!;
      return pool.setCell(other, { c: [one.codes[0], ...other.codes.slice(1)].join("\n") });
    },
  ],
  [
    "codes-miscounted",
    "a code that is gone",
    (pool) => {
      const cell = pool.cellWith({ codes: 2, free: 1 });
      return pool.setCell(cell, { c: cell.codes.slice(0, -1).join("\n"), k: cell.codes.length - 1 });
    },
  ],
  [
    "holder-unreachable",
    "an intent that is gone",
    async (pool) => pool.remove(pool.intentKey((await pool.placedByIntent())[0]!.token)),
  ],
  [
    "holder-unreachable",
    "an intent that leads elsewhere",
    async (pool) => {
      const [one, ...others] = await pool.placedByIntent();
      const other = others.find(({ cell }) => cell !== one!.cell)!;
      const { generation, attempt, shard, cell } = other.cell.address;
      return pool.set(pool.intentKey(one!.token), { a: `${generation}.${attempt}.${shard}.${cell}` });
    },
  ],
  [
    "passed-not-full",
    "a home with room again",
    async (pool) => {
      // Everybody in the second file has passed two homes in the first.
      const homes = pool.cells.filter(({ address }) => address.generation === 1);
      for (const cell of homes.filter(({ tokens }) => tokens.length > 1))
        await pool.setCell(cell, {
          u: cell.tokens.slice(0, -1),
          t: cell.stamps.slice(0, -1).map(() => "Q87h6F8"),
        });
    },
  ],
  [
    "mark-wrong",
    "a cell that is marked full",
    (pool, service) => {
      const cell = pool.cellWith({ free: 1 });
      return pool.set(fullKey(service, pool, cell), { f: new Set([cell.address.cell]) });
    },
  ],
  [
    "mark-wrong",
    "a shard that is marked full",
    (pool, service) => {
      const { generation, attempt, shard } = pool.cellWith({ free: 1 }).address;
      const key = service.keys.fullShards(pool.promocodeId, generation, attempt, 0);
      return pool.set(key, { f: new Set([shard]) });
    },
  ],
  [
    "sealed-early",
    "a sealed cell of a file in use",
    (pool) => {
      const cell = pool.cellWith({ free: 1 });
      return pool.setCell(cell, { k: cell.tokens.length });
    },
  ],
  [
    "not-sealed",
    "a withdrawn file that is not sealed",
    async (pool, service) => {
      const file = (await service.codeFiles.all(pool.promocodeId)).find(
        ({ generation }) => generation === 2,
      )!;
      await service.startWithdrawal(file);
      await service.codeFiles.markWithdrawn(file);
    },
  ],
  [
    "file-mismatch",
    "a file whose generation is gone",
    (pool, service) => pool.remove(service.keys.generation(pool.promocodeId, 2)),
  ],
  [
    "file-mismatch",
    "a generation whose file is gone",
    (pool, service) => pool.remove(service.keys.codeFile(pool.promocodeId, pool.generations[1]!.fileId)),
  ],
  [
    "file-mismatch",
    "a ready file with a withdrawn generation",
    (pool, service) => pool.set(service.keys.generation(pool.promocodeId, 2), { status: "withdrawn" }),
  ],
  [
    "generations-gap",
    "a last generation ahead",
    (pool) => pool.set(pool.promocodeKey, { lastGeneration: 3 }),
  ],
  ["base-unknown", "a base that does not exist", (pool) => pool.set(pool.promocodeKey, { base: 7 })],
  [
    "base-missing",
    "no base",
    (pool, service) =>
      service.dynamoDb.send(
        new service.UpdateCommand({
          TableName: service.tableName(),
          Key: pool.promocodeKey,
          UpdateExpression: "REMOVE #base",
          ExpressionAttributeNames: { "#base": "base" },
        }),
      ),
  ],
  [
    "context-missing",
    "a context that is gone",
    async (pool, service) => {
      const id = pool.cells
        .flatMap(({ stamps }) => stamps)
        .find(({ contextId }) => contextId !== "")!.contextId;
      await pool.remove(service.keys.context(pool.promocodeId, id));
    },
  ],
  [
    "count-too-high",
    "a count above the holders",
    (pool, service) =>
      service.addToCount(
        {
          promocodeId: pool.promocodeId,
          fileId: pool.generations[0]!.fileId,
          streamShardId: "shard",
          changes: [{ sequenceNumber: "1", delta: 1_000 }],
        },
        now,
      ),
  ],
  [
    "method-foreign",
    "a token with a trigger",
    (pool) => {
      const cell = pool.cellWith({ holders: 1 });
      return pool.setCell(cell, { u: [`${cell.tokens[0]}\u001ftrigger`, ...cell.tokens.slice(1)] });
    },
  ],
];

/** The service over this engine, and pools of it. */
const aWorld = async (engine: DynamoDbEngine) => {
  await createTable(engine);
  const service = await loadModules();
  const allocate = async (promocodeId: string, customerIds: readonly string[]) =>
    inParallel(customerIds, async (customerId) =>
      service.allocateCode(
        await service.promocodes.get(promocodeId),
        { customerId, occurenceId: `send-${customerId.at(-1)}` },
        { idempotencyKey: undefined, now },
      ),
    );
  /** Two files of 60 and 30 codes, of which 75 are given out: some at home, some by intent. */
  const aUsedPool = async (settings = {}): Promise<string> => {
    const first = await service.publish(await service.aPromocode(settings), someCodes(60, "A"));
    await allocate(first.promocodeId, customers(1));
    await service.publish(first, someCodes(30, "B"));
    await allocate(first.promocodeId, customers(75));
    return first.promocodeId;
  };
  const verify = (promocodeId: string) =>
    service.verifyPool(promocodeId, { countsPatienceMs: 0, looks: [0, 50] });
  return { service, allocate, aUsedPool, verify };
};
type World = Awaited<ReturnType<typeof aWorld>>;

describe.each(engines)("verify on $name", ({ start }) => {
  let engine: DynamoDbEngine;
  let world: World;
  let service: Modules;
  beforeAll(async () => {
    engine = await start();
    world = await aWorld(engine);
    service = world.service;
  });
  afterAll(() => engine.close());
  const allocate: World["allocate"] = (...given) => world.allocate(...given);
  const aUsedPool: World["aUsedPool"] = (...given) => world.aUsedPool(...given);
  const verify: World["verify"] = (...given) => world.verify(...given);

  it.each(["Consistent", "Varying"] as const)(
    "finds nothing in a pool in order, under %s",
    async (method) => {
      const promocodeId = await aUsedPool({ allocationMethod: method });

      const report = await verify(promocodeId);

      expect(report.findings).toEqual([]);
      expect(report).toMatchObject({
        method,
        generations: 2,
        codes: 90,
        allocated: 75,
        free: 15,
        withdrawn: 0,
      });
      const { atFirstHome, atSecondHome, byIntent, consistent, varying } = report.holders;
      expect(atFirstHome + atSecondHome + byIntent).toBe(75);
      expect(byIntent).toBeGreaterThan(10);
      expect(method === "Consistent" ? consistent : varying).toBe(75);
    },
  );

  it("finds nothing in a promocode without files", async () => {
    const { promocodeId } = await service.aPromocode();

    expect(await verify(promocodeId)).toMatchObject({ findings: [], warnings: [], codes: 0, allocated: 0 });
  });

  it("takes erased holders for what they are", async () => {
    const promocodeId = await aUsedPool();
    const pool = await openPool(service, promocodeId);
    const cell = pool.cellWith({ holders: 3 });
    await pool.setCell(cell, { u: cell.tokens.map(() => tombstone) });

    const report = await verify(promocodeId);

    expect(report.findings).toEqual([]);
    expect(report).toMatchObject({ allocated: 75, holders: { erased: cell.tokens.length } });
  });

  it("finds nothing when a file was withdrawn in between", async () => {
    const promocodeId = await aUsedPool();
    const second = (await service.codeFiles.all(promocodeId)).find(({ generation }) => generation === 2)!;
    const generation = (await service.generationsOf(promocodeId))[1] as Generation;

    await service.startWithdrawal(second);
    const during = await verify(promocodeId);
    await service.withdraw(service.dynamoPoolStore(promocodeId), generation);
    await service.codeFiles.markWithdrawn(second);
    const after = await verify(promocodeId);

    expect(during.findings).toEqual([]);
    expect(after.findings).toEqual([]);
    expect(after).toMatchObject({ codes: 90, allocated: 75 });
    expect(after.free + after.withdrawn).toBe(15);
    expect(after.withdrawn).toBeGreaterThan(0);
  });

  it("allows codes of both methods once the method was changed, and still no token twice", async () => {
    const promocodeId = await aUsedPool();
    await service.promocodes.update(promocodeId, { allocationMethod: "Varying" }, now);
    await allocate(promocodeId, customers(10));

    const report = await verify(promocodeId);

    expect(report.findings).toEqual([]);
    expect(report.holders).toMatchObject({ consistent: 75, varying: 10 });
  });

  it("finds nothing wrong while codes are given out, a file is published and one is withdrawn", async () => {
    const first = await service.publish(await service.aPromocode(), someCodes(1_500, "A"));
    const { promocodeId } = first;
    let isOver = false;
    const giving = (async () => {
      for (let turn = 0; !isOver; turn += 1) await allocate(promocodeId, customers(100, `turn-${turn}`));
    })();
    const changing = (async () => {
      await service.publish(first, someCodes(200, "B"));
      const file = (await service.codeFiles.all(promocodeId)).find(({ generation }) => generation === 2)!;
      await service.startWithdrawal(file);
      await service.withdraw(
        service.dynamoPoolStore(promocodeId),
        (await service.generationsOf(promocodeId))[1]!,
      );
      await service.codeFiles.markWithdrawn(file);
    })();

    const reports = [await verify(promocodeId)];
    await changing;
    while (reports.at(-1)!.free > 200) reports.push(await verify(promocodeId));
    isOver = true;
    await giving;
    reports.push(await verify(promocodeId));

    expect(reports.flatMap(({ findings }) => findings)).toEqual([]);
    expect(reports.at(-1)?.holders.byIntent).toBeGreaterThan(0);
  });

  it("warns when the counts do not come to what is held, and only then", async () => {
    const promocodeId = await aUsedPool();
    const before = await verify(promocodeId);
    for (const { where, detail } of before.warnings)
      await service.addToCount(
        {
          promocodeId,
          fileId: where.slice("file ".length),
          streamShardId: "shard",
          changes: [{ sequenceNumber: "1", delta: Number(/(\d+) held/.exec(detail)?.[1]) }],
        },
        now,
      );

    const after = await verify(promocodeId);

    expect(before.warnings.map(({ rule }) => rule)).toEqual(["count-behind", "count-behind"]);
    expect(after.warnings).toEqual([]);
    expect(after.findings).toEqual([]);
  });

  it("changes nothing", async () => {
    const promocodeId = await aUsedPool();
    const everything = async () =>
      (await service.dynamoDb.send(new service.ScanCommand({ TableName: service.tableName() }))).Items;
    const before = await everything();

    await verify(promocodeId);

    expect(await everything()).toEqual(before);
  });
});

/** What breaks a pool does not depend on the engine. */
describe("a pool that is broken", () => {
  let engine: DynamoDbEngine;
  let world: World;
  beforeAll(async () => {
    engine = await engines[0]!.start();
    world = await aWorld(engine);
  });
  afterAll(() => engine.close());

  it.each(breakages)("finds %s: %s", async (rule, _, breakIt) => {
    const promocodeId = await world.aUsedPool();
    await breakIt(await openPool(world.service, promocodeId), world.service);

    const report = await world.verify(promocodeId);

    expect(report.findings.map((finding) => finding.rule)).toContain(rule);
    expect(JSON.stringify(report)).not.toContain("customer-");
  });

  it("is stopped by no amount of damage, and says how much there is", async () => {
    const promocodeId = await world.aUsedPool();
    const pool = await openPool(world.service, promocodeId);
    for (const { token } of await pool.placedByIntent()) await pool.remove(pool.intentKey(token));
    for (const cell of pool.cells) if (cell.tokens.length > 0) await pool.setCell(cell, { t: [] });

    const { findings } = await world.verify(promocodeId);

    expect(findings.filter(({ rule }) => rule === "stamps-differ").length).toBeGreaterThan(5);
    expect(findings.filter(({ rule }) => rule === "holder-unreachable").length).toBeGreaterThan(5);
  });
});
