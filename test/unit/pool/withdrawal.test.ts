import { describe, expect, it } from "vitest";
import type { Cell, CellAddress } from "../../../shared/pool/cell.ts";
import type { Generation } from "../../../shared/pool/generation.ts";
import type { PoolStore } from "../../../shared/pool/pool-store.ts";
import { withdraw } from "../../../shared/pool/withdrawal.ts";

const generation: Generation = {
  number: 1,
  fileId: "fil_1",
  attempt: 1,
  codes: 300 * 4 * 2,
  shards: 300,
  cellsPerShard: 4,
  status: "withdrawn",
};

/** As much of a store as a withdrawal needs, with every cell of the generation holding two codes. */
const aStore = () => {
  const cells = new Map<string, { capacity: number; holders: number }>();
  const fullShards = new Set<number>();
  const nameOf = ({ shard, cell }: CellAddress) => `${shard}.${cell}`;
  for (let shard = 0; shard < generation.shards; shard += 1)
    for (let cell = 0; cell < generation.cellsPerShard; cell += 1)
      cells.set(`${shard}.${cell}`, { capacity: 2, holders: 0 });
  const read = (address: CellAddress): Cell => {
    const { capacity, holders } = cells.get(nameOf(address)) ?? { capacity: 0, holders: 0 };
    return {
      address,
      capacity,
      codes: ["A", "B"],
      tokens: Array.from({ length: holders }, (_, index) => `customer-${index}`),
      stamps: Array.from({ length: holders }, () => ({ at: 0, contextId: "" })),
    };
  };
  const calls = { seals: 0, underWay: 0, most: 0 };
  const store: Pick<PoolStore, "fullShards" | "readCells" | "seal" | "markShardFull"> = {
    fullShards: async () => new Set(fullShards),
    readCells: async (addresses) => addresses.map(read),
    async seal(address, size) {
      calls.seals += 1;
      calls.underWay += 1;
      calls.most = Math.max(calls.most, calls.underWay);
      await new Promise((done) => setImmediate(done));
      calls.underWay -= 1;
      const cell = cells.get(nameOf(address));
      if (cell?.holders !== size) return { outcome: "refused", cell: read(address) };
      cell.capacity = size;
      return { outcome: "appended", cell: read(address) };
    },
    async markShardFull(_, shard) {
      return fullShards.add(shard);
    },
  };
  return { store: store as PoolStore, cells, fullShards, calls, read };
};

const sealedIn = (cells: ReadonlyMap<string, { capacity: number; holders: number }>) =>
  [...cells.values()].filter(({ capacity, holders }) => capacity === holders).length;

describe("a withdrawal", () => {
  it("seals every cell once and marks every shard, with many under way", async () => {
    const { store, cells, fullShards, calls } = aStore();

    expect(await withdraw(store, generation)).toBe(true);

    expect(sealedIn(cells)).toBe(1_200);
    expect(fullShards.size).toBe(300);
    expect(calls.seals).toBe(1_200);
    expect(calls.most).toBe(64);
  });

  it("stops when it is told to, and goes on behind the shards that are marked", async () => {
    const { store, cells, fullShards, calls } = aStore();
    let groups = 0;

    const stopped = await withdraw(store, generation, () => groups++ < 1);
    const sealedBefore = sealedIn(cells);
    calls.seals = 0;
    const finished = await withdraw(store, generation);

    expect([stopped, finished]).toEqual([false, true]);
    expect(sealedBefore).toBe(1_024);
    expect(calls.seals).toBe(1_200 - 1_024);
    expect(fullShards.size).toBe(300);
  });

  it("leaves a code to whoever took it in between", async () => {
    const { store, cells } = aStore();
    const seal = store.seal.bind(store);
    let taken = false;
    store.seal = async (address, size) => {
      const cell = cells.get("7.3");
      if (!taken && cell) {
        taken = true;
        cell.holders += 1;
      }
      return seal(address, size);
    };

    await withdraw(store, generation);

    expect(cells.get("7.3")).toEqual({ capacity: 1, holders: 1 });
    expect(sealedIn(cells)).toBe(1_200);
  });

  it("does not write to a cell that is full", async () => {
    const { store, cells, calls } = aStore();
    for (const cell of cells.values()) cell.holders = 2;

    await withdraw(store, generation);

    expect(calls.seals).toBe(0);
  });

  it("seals a cell that a lagging read does not know yet", async () => {
    const { store, cells, read } = aStore();
    const unknown = (cell: Cell): Cell => ({ ...cell, capacity: 0, codes: [], tokens: [], stamps: [] });
    store.readCells = async (addresses) => addresses.map(read).map(unknown);
    cells.set("3.1", { capacity: 2, holders: 1 });

    await withdraw(store, generation);

    expect(cells.get("3.1")).toEqual({ capacity: 1, holders: 1 });
    expect(sealedIn(cells)).toBe(1_200);
  });
});
