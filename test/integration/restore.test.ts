import { BatchWriteCommand, ScanCommand } from "@aws-sdk/lib-dynamodb";
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import type { Place } from "../../commands/keys/place.ts";
import type { DynamoDbEngine } from "../../local/dynamodb/engine.ts";
import type { Allocation } from "../../shared/contract/allocations.ts";
import { customers, someCodes } from "../support/codes.ts";
import { engines } from "../support/engines.ts";
import { inParallel } from "../support/in-parallel.ts";
import { createTable } from "../support/table.ts";

const now = new Date("2026-11-25T09:00:00.000Z");
const place: Place = { name: "the restored table", environment: {} };

/** The service as it starts over a table, remembering nothing. */
const serviceOver = async (tableName: string) => {
  vi.resetModules();
  process.env.TABLE_NAME = tableName;
  const modules = {
    ...(await import("../support/pool.ts")),
    ...(await import("../../commands/seal-after-restore/run-seal.ts")),
    ...(await import("../../commands/verify/verify-pool.ts")),
    ...(await import("../../shared/allocation/allocate-codes.ts")),
    ...(await import("../../shared/storage/client.ts")),
    ...(await import("../../shared/storage/code-files.ts")),
    ...(await import("../../shared/storage/promocodes.ts")),
  };
  const allocate = async (promocodeId: string, customerIds: readonly string[]) => {
    process.env.TABLE_NAME = tableName;
    const given = await inParallel(customerIds, async (customerId) =>
      modules.allocateCode(
        await modules.promocodes.get(promocodeId),
        { customerId },
        { idempotencyKey: undefined, now },
      ),
    );
    return given as readonly Allocation[];
  };
  const seal = (promocodeId: string, { yes }: { readonly yes: boolean }) => {
    process.env.TABLE_NAME = tableName;
    const printed: string[] = [];
    const line = { show: () => {}, clear: () => {}, leave: () => {} };
    return modules
      .runSeal({ place: {}, json: false, promocodeId, yes }, place, {
        print: (text) => printed.push(text),
        line,
      })
      .then((isDone) => ({ isDone, text: printed.join("\n") }));
  };
  const verify = (promocodeId: string) => {
    process.env.TABLE_NAME = tableName;
    return modules.verifyPool(promocodeId, { countsPatienceMs: 0, looks: [0, 50] });
  };
  return { ...modules, allocate, seal, verify };
};
type Service = Awaited<ReturnType<typeof serviceOver>>;

const codesOf = (allocations: readonly Allocation[]): readonly string[] =>
  allocations.filter(({ source }) => source === "pool").map(({ uniqueCode }) => uniqueCode);

describe.each(engines)("a table that was restored to an older point, on $name", ({ start }) => {
  let engine: DynamoDbEngine;
  beforeAll(async () => {
    engine = await start();
  });
  afterAll(() => engine.close());

  /** A new table with what another one holds now, as a backup of it would. */
  const copyOf = async (service: Service, tableName: string): Promise<string> => {
    process.env.TABLE_NAME = tableName;
    const items: Record<string, unknown>[] = [];
    let startKey: Record<string, unknown> | undefined;
    do {
      const page = await service.dynamoDb.send(
        new ScanCommand({
          TableName: tableName,
          ConsistentRead: true,
          ...(startKey && { ExclusiveStartKey: startKey }),
        }),
      );
      items.push(...(page.Items ?? []));
      startKey = page.LastEvaluatedKey;
    } while (startKey);
    const copy = await createTable(engine);
    for (let at = 0; at < items.length; at += 25) {
      const puts = items.slice(at, at + 25).map((Item) => ({ PutRequest: { Item } }));
      await service.dynamoDb.send(new BatchWriteCommand({ RequestItems: { [copy]: puts } }));
    }
    return copy;
  };

  let promocodeId: string;
  let restored: string;
  let before: readonly Allocation[];
  let since: readonly Allocation[];
  beforeEach(async () => {
    const original = await createTable(engine);
    const service = await serviceOver(original);
    const first = await service.publish(await service.aPromocode(), someCodes(80, "A"));
    ({ promocodeId } = await service.publish(first, someCodes(40, "B")));
    before = await service.allocate(promocodeId, customers(50));
    restored = await copyOf(service, original);
    since = await service.allocate(promocodeId, customers(30, "since"));
  });

  it("gives codes again that were given since: the reason for what follows", async () => {
    const service = await serviceOver(restored);

    const again = codesOf(await service.allocate(promocodeId, customers(70, "new")));

    const givenSince = new Set(codesOf(since));
    expect(again.filter((code) => givenSince.has(code)).length).toBeGreaterThan(0);
    // Nothing in the table itself can tell.
    expect((await service.verify(promocodeId)).findings).toEqual([]);
  });

  it("gives none of them once it is sealed, and who had a code keeps it", async () => {
    const service = await serviceOver(restored);
    const shown = await service.seal(promocodeId, { yes: false });
    const untouched = await service.verify(promocodeId);

    const sealed = await service.seal(promocodeId, { yes: true });
    const again = await service.seal(promocodeId, { yes: true });
    const repeated = await service.allocate(promocodeId, customers(50));
    const refused = await service.allocate(promocodeId, customers(70, "new"));
    const report = await service.verify(promocodeId);

    expect(shown.isDone).toBe(false);
    expect(shown.text).toContain("Would take every free code of 2 files");
    expect(untouched).toMatchObject({ free: 70, withdrawn: 0, findings: [] });
    expect(sealed.isDone).toBe(true);
    expect(again.text).toContain("Nothing to seal");
    expect(codesOf(repeated)).toEqual(codesOf(before));
    expect(repeated.every((allocation) => allocation.repeated)).toBe(true);
    expect(codesOf(refused)).toEqual([]);
    expect(report).toMatchObject({ allocated: 50, free: 0, withdrawn: 70, findings: [] });
  });

  it("gives new codes from new files after that, to those too who got one since", async () => {
    const service = await serviceOver(restored);
    await service.seal(promocodeId, { yes: true });
    await service.publish(
      (await service.promocodes.get(promocodeId)) as Parameters<Service["publish"]>[0],
      someCodes(60, "C"),
    );

    const given = codesOf(
      await service.allocate(promocodeId, [...customers(30, "since"), ...customers(30, "new")]),
    );

    expect(given).toHaveLength(60);
    expect(given.every((code) => code.startsWith("C"))).toBe(true);
    expect((await service.verify(promocodeId)).findings).toEqual([]);
  });

  it("withdraws files that were still to be loaded: they may have been loaded and given out since", async () => {
    const service = await serviceOver(restored);
    const file = { promocodeId, fileId: "fil_queued", fileName: "codes.csv", source: "drop" as const };
    await service.codeFiles.create({
      ...file,
      objectKey: `promocodes/${promocodeId}/codes.csv`,
      versionId: "v1",
      createdAt: now.toISOString(),
    });

    await service.seal(promocodeId, { yes: true });

    expect(await service.codeFiles.get(file)).toMatchObject({ status: "withdrawn" });
  });
});
