import type { DynamoDbEngine } from "../../local/dynamodb/engine.ts";
import type { AllocateCode, AllocatedCodes, Allocation } from "../../shared/contract/allocations.ts";
import type { Problem } from "../../shared/contract/problems.ts";
import type { Promocode, UniqueCodes } from "../../shared/contract/promocodes.ts";
import type { Promotion } from "../../shared/contract/promotions.ts";
import { type ApiAnswer, callApi } from "../support/api-call.ts";
import { customers, someCodes } from "../support/codes.ts";
import { inParallel } from "../support/in-parallel.ts";
import { createTable } from "../support/table.ts";
import { type FaultProxy, startFaultProxy } from "./fault-proxy.ts";
import type { PoolTruth, TableLocation } from "./pool-truth.ts";
import { type Expected, provePool } from "./prove-pool.ts";
import { startProcess } from "./start-process.ts";

/** A promocode whose codes the test knows. */
export interface KnownPool {
  readonly promotionId: string;
  readonly promocodeId: string;
  /** All that were published. */
  readonly codes: readonly string[];
}

type Headers = Readonly<Record<string, string>>;

/** The allocations among the answers, one by one or of batches; refusals are left out. */
export const served = (
  replies: readonly ApiAnswer<(Allocation | AllocatedCodes) & Partial<Problem>>[],
): readonly Allocation[] =>
  replies
    .filter(({ status }) => status < 300)
    .flatMap(({ body }) => ("results" in body ? body.results : [body]))
    .filter((result): result is Allocation => !("problem" in result));

/** The functions that hand out codes, in a process of their own. */
export interface AllocatingProcess {
  allocate(
    pool: KnownPool,
    request: AllocateCode,
    headers?: Headers,
  ): Promise<ApiAnswer<Allocation & Partial<Problem>>>;
  allocateAll(
    pool: KnownPool,
    requests: readonly AllocateCode[],
    headers?: Headers,
  ): Promise<ApiAnswer<AllocatedCodes & Partial<Problem>>>;
}

export interface FaultWorld {
  readonly table: TableLocation;
  /** A wire to the engine, without faults yet. */
  aWire(): Promise<FaultProxy>;
  /** Started on this wire; without one, straight on the engine. */
  anAllocatingProcess(wire?: FaultProxy): Promise<AllocatingProcess>;
  /** A promocode of an active promotion with these codes, made past every wire. */
  aPool(codes: readonly string[], settings?: Partial<UniqueCodes>): Promise<KnownPool>;
  /** A first file of 60 codes, where everybody's homes are, is given out to as many; these codes are in a second one. */
  aPoolWithFullHomes(free: readonly string[], settings?: Partial<UniqueCodes>): Promise<KnownPool>;
  /** Publishes more codes, past every wire. */
  refill(pool: KnownPool, codes: readonly string[]): Promise<KnownPool>;
  /** Proves the pool's promises on the raw table. */
  prove(pool: KnownPool, more?: Omit<Expected, "codes">): Promise<PoolTruth>;
  /** Closes the wires. */
  close(): Promise<void>;
}

/** An empty table on the engine, and what faults of allocation need. */
export const aFaultWorld = async (engine: DynamoDbEngine): Promise<FaultWorld> => {
  const tableName = await createTable(engine);
  const table: TableLocation = { engine, tableName };
  const wires: FaultProxy[] = [];
  const unharmed = await startProcess(engine.endpoint, async () => ({
    createPromotion: (await import("../../functions/create-promotion/handler.ts")).handler,
    createPromocode: (await import("../../functions/create-promocode/handler.ts")).handler,
    ...(await import("../../shared/storage/promocodes.ts")),
    ...(await import("../support/pool.ts")),
  }));

  const publish = async (promocodeId: string, codes: readonly string[]) => {
    const promocode = await unharmed.promocodes.get(promocodeId);
    if (promocode.type === "global") throw new Error(`${promocodeId} has no pool`);
    await unharmed.publish(promocode, codes);
  };

  const world: FaultWorld = {
    table,

    async aWire() {
      const wire = await startFaultProxy(engine.endpoint);
      wires.push(wire);
      return wire;
    },

    async anAllocatingProcess(wire) {
      const { one, many } = await startProcess(wire?.endpoint ?? engine.endpoint, async () => ({
        one: (await import("../../functions/allocate-code/handler.ts")).handler,
        many: (await import("../../functions/allocate-codes/handler.ts")).handler,
      }));
      return {
        allocate: ({ promocodeId }, body, headers = {}) =>
          callApi(one, "allocateCode", { path: { promocodeId }, body, headers }),
        allocateAll: ({ promocodeId }, allocations, headers = {}) =>
          callApi(many, "allocateCodes", { path: { promocodeId }, body: { allocations }, headers }),
      };
    },

    async aPool(codes, settings = {}) {
      const promotion = await callApi<Promotion>(unharmed.createPromotion, "createPromotion", {
        body: { name: "Faults", status: "active" },
      });
      const { promotionId } = promotion.body;
      const promocode = await callApi<Promocode>(unharmed.createPromocode, "createPromocode", {
        body: { promotionId, type: "personalized", uniqueCodes: { defaultCode: "DEFAULT", ...settings } },
      });
      const { promocodeId } = promocode.body;
      if (codes.length > 0) await publish(promocodeId, codes);
      return { promotionId, promocodeId, codes };
    },

    async aPoolWithFullHomes(free, settings) {
      const pool = await world.aPool(someCodes(60), settings);
      const process = await world.anAllocatingProcess();
      await inParallel(customers(60, "early"), (customerId) =>
        process.allocate(pool, { customerId, occurenceId: "early" }),
      );
      return world.refill(pool, free);
    },

    async refill(pool, codes) {
      await publish(pool.promocodeId, codes);
      return { ...pool, codes: [...pool.codes, ...codes] };
    },

    prove: ({ promocodeId, codes }, more = {}) => provePool(table, promocodeId, { codes, ...more }),

    async close() {
      await Promise.all(wires.splice(0).map((wire) => wire.close()));
    },
  };
  return world;
};
