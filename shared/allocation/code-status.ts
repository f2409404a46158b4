import type { Code } from "../contract/allocations.ts";
import { codeNotFound } from "../domain/failures.ts";
import type { PersonalizedPromocode } from "../domain/promocode.ts";
import { type Cell, tombstone } from "../pool/cell.ts";
import type { Generation } from "../pool/generation.ts";
import { parseSalt, type Salt } from "../pool/hash.ts";
import { findCode, mustHold, whereabouts } from "../pool/lookup.ts";
import { cellsOfShard } from "../storage/cells.ts";
import { contextsOf } from "../storage/contexts.ts";
import { generationsOf } from "../storage/generations.ts";
import { cellSortKey } from "../storage/table.ts";
import { allocationAt } from "./allocation-at.ts";

const cellsBetween = async (
  promocodeId: string,
  generation: Generation,
  shard: number,
  from: number,
  to: number,
): Promise<readonly Cell[]> => {
  const range = { from: cellSortKey(from), to: cellSortKey(to) };
  const cells: Cell[] = [];
  for await (const page of cellsOfShard(promocodeId, generation, shard, range)) cells.push(...page);
  return cells;
};

/** One small read where the code most likely is; the whole shard only when that cannot tell. */
const findIn = async (promocodeId: string, generation: Generation, salt: Salt, uniqueCode: string) => {
  const { hash, shard, from, to } = whereabouts(uniqueCode, generation, salt);
  const near = await cellsBetween(promocodeId, generation, shard, from, to);
  const found = findCode(near, uniqueCode);
  if (found || mustHold(near, hash, generation, salt)) return found;
  return findCode(
    await cellsBetween(promocodeId, generation, shard, 0, generation.cellsPerShard - 1),
    uniqueCode,
  );
};

/** What became of a unique code. Throws `code-not-found` when no file of the promocode brought it. */
export const codeStatusOf = async (promocode: PersonalizedPromocode, uniqueCode: string): Promise<Code> => {
  const { promocodeId } = promocode;
  const salt = parseSalt(promocode.salt);
  for (const generation of await generationsOf(promocodeId)) {
    const found = await findIn(promocodeId, generation, salt, uniqueCode);
    if (!found) continue;
    const { cell, slot } = found;
    const { fileId } = generation;
    if (slot < cell.tokens.length) {
      const contexts = await contextsOf(promocodeId, [cell.stamps[slot]?.contextId ?? ""]);
      const allocation = allocationAt(promocode, { cell, slot, generation, repeated: true }, contexts);
      const customerId = cell.tokens[slot] === tombstone ? null : allocation.customerId;
      return { uniqueCode, fileId, status: "allocated", allocation: { ...allocation, customerId } };
    }
    const isSealed = slot >= cell.capacity || generation.status === "withdrawn";
    return { uniqueCode, fileId, status: isSealed ? "withdrawn" : "available" };
  }
  throw codeNotFound();
};
