import type { Generation } from "../../shared/pool/generation.ts";
import { parseSalt } from "../../shared/pool/hash.ts";
import { codesPerCell, homeCells, maxCellsPerShard, shardsFor } from "../../shared/pool/layout.ts";
import { aPromocode } from "./bench-promocode.ts";
import { codeAt } from "./generated-codes.ts";

const codeLength = 12;
const firstAllocationAt = Date.parse("2026-11-23T09:00:00.000Z");

/** As long as a UUID, which is what most callers take for customers. */
export const customerAt = (index: number): string =>
  `3f0c6a52-9d0b-4b5e-8a55-${String(index).padStart(12, "0")}`;

export const indexOfCustomer = (customerId: string): number => Number(customerId.slice(-12));

/** Where a cell's first code is, counted over the pool: codes lie in it by index, as evenly as the loader cuts them. */
const firstCodeOf = (cell: number, cells: number, codes: number): number =>
  Math.floor((cell * codes) / cells);

/** A pool some of whose codes are given out. */
export interface GivenPool {
  readonly promocodeId: string;
  readonly promotionId: string;
  readonly fileId: string;
}

/**
 * Writes a pool in the state that single allocations leave: the customers `customerAt(0 … allocations - 1)`, each in
 * the first of their home cells that had room. For pools of which so little is given out that nobody finds both full.
 */
export const writeGivenPool = async (
  { codes, allocations }: { readonly codes: number; readonly allocations: number },
  tell: (done: number) => void,
): Promise<GivenPool> => {
  const { PutCommand } = await import("@aws-sdk/lib-dynamodb");
  const { writeCells } = await import("../../shared/storage/cell-writer.ts");
  const { encodeStamp, newCellItem } = await import("../../shared/storage/cells.ts");
  const { dynamoDb, tableName } = await import("../../shared/storage/client.ts");
  const { contextIdOf } = await import("../../shared/storage/contexts.ts");
  const { generationItem } = await import("../../shared/storage/generations.ts");

  const { promocodeId, promotionId, salt } = await aPromocode();
  const wantedCells = Math.ceil(codes / codesPerCell(codeLength));
  const shards = shardsFor(wantedCells);
  const cellsPerShard = Math.min(maxCellsPerShard, Math.ceil(wantedCells / shards));
  const cells = shards * cellsPerShard;
  const generation: Generation = {
    number: 1,
    fileId: "fil_01KA5S2H4N6P8R0T2V4X6Z8A0C",
    attempt: 1,
    codes,
    shards,
    cellsPerShard,
    status: "published",
  };
  const contextId = await contextIdOf(promocodeId, {
    occurenceId: "send-2026-11-23",
    seriesId: "autumn",
    actionId: null,
  });

  const holders: number[][] = Array.from({ length: cells }, () => []);
  const capacityOf = (cell: number) => firstCodeOf(cell + 1, cells, codes) - firstCodeOf(cell, cells, codes);
  const parsedSalt = parseSalt(salt);
  for (let customer = 0; customer < allocations; customer++) {
    const home = homeCells(customerAt(customer), generation, parsedSalt)
      .map(({ shard, cell }) => shard * cellsPerShard + cell)
      .find((cell) => holders[cell]!.length < capacityOf(cell));
    if (home === undefined) throw new Error("Both homes of a customer are full: give out less of the pool.");
    holders[home]!.push(customer);
  }

  const items = function* () {
    for (let cell = 0; cell < cells; cell++) {
      const from = firstCodeOf(cell, cells, codes);
      const address = {
        generation: 1,
        attempt: 1,
        shard: Math.floor(cell / cellsPerShard),
        cell: cell % cellsPerShard,
      };
      const texts = Array.from({ length: capacityOf(cell) }, (_, slot) => codeAt(from + slot));
      yield {
        ...newCellItem(promocodeId, address, texts),
        u: holders[cell]!.map(customerAt),
        t: holders[cell]!.map((customer) => encodeStamp({ at: firstAllocationAt + customer, contextId })),
      };
    }
  };
  let written = 0;
  await writeCells(items(), {
    signal: new AbortController().signal,
    onWritten: (count) => {
      written += count;
      tell(written / cells);
    },
  });
  // Last, as in production: a generation is there once its cells are.
  await dynamoDb.send(
    new PutCommand({ TableName: tableName(), Item: generationItem(promocodeId, generation) }),
  );
  return { promocodeId, promotionId, fileId: generation.fileId };
};
