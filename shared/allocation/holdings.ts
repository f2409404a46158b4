import type { Allocation } from "../contract/allocations.ts";
import type { PersonalizedPromocode } from "../domain/promocode.ts";
import { homeCells } from "../pool/layout.ts";
import { slotsOfCustomer } from "../pool/lookup.ts";
import { generationNumbered } from "../pool/pool.ts";
import { readCells } from "../storage/cells.ts";
import { contextsOf } from "../storage/contexts.ts";
import { defaultsGivenTo } from "../storage/defaults-given.ts";
import { intentAddressesOf } from "../storage/intents.ts";
import { allocationAt } from "./allocation-at.ts";
import { poolOf } from "./pools.ts";

/** The customer's codes from the pool: in their home cells, and where intents placed them. */
const heldCodes = async (
  promocode: PersonalizedPromocode,
  customerId: string,
): Promise<readonly Allocation[]> => {
  const { promocodeId } = promocode;
  const pool = await poolOf(promocode);
  if (pool.base === undefined) return [];
  const homes = homeCells(customerId, await generationNumbered(pool, pool.base), pool.salt);
  const cells = await readCells(promocodeId, [
    ...homes,
    ...(await intentAddressesOf(promocodeId, customerId)),
  ]);
  const slots = cells.flatMap((cell) => slotsOfCustomer(cell, customerId).map((slot) => ({ cell, slot })));
  const contexts = await contextsOf(
    promocodeId,
    slots.map(({ cell, slot }) => cell.stamps[slot]?.contextId ?? ""),
  );
  return Promise.all(
    slots.map(async ({ cell, slot }) => {
      const generation = await generationNumbered(pool, cell.address.generation);
      return allocationAt(promocode, { cell, slot, generation, repeated: true }, contexts);
    }),
  );
};

const givenDefaults = async (
  { promocodeId, promotionId }: PersonalizedPromocode,
  customerId: string,
): Promise<readonly Allocation[]> => {
  const given = await defaultsGivenTo(promocodeId, customerId);
  const contexts = await contextsOf(
    promocodeId,
    given.map(({ contextId }) => contextId),
  );
  return given.map(({ uniqueCode, timestamp, contextId }) => ({
    customerId,
    promocodeId,
    promotionId,
    fileId: null,
    uniqueCode,
    timestamp,
    ...contexts.get(contextId)!,
    source: "default",
    repeated: true,
  }));
};

/** Orders holdings by time, and tells where a look-up goes on. Sorts as text. */
export const positionOf = ({ timestamp, fileId, uniqueCode }: Allocation): string =>
  `${timestamp} ${fileId ?? ""} ${uniqueCode}`;

/** What a customer holds of a promocode, default codes included, oldest first. */
export const holdingsOf = async (
  promocode: PersonalizedPromocode,
  customerId: string,
): Promise<readonly Allocation[]> => {
  const [held, defaults] = await Promise.all([
    heldCodes(promocode, customerId),
    givenDefaults(promocode, customerId),
  ]);
  return [...held, ...defaults].sort((one, other) => (positionOf(one) < positionOf(other) ? -1 : 1));
};
