import type { Holder } from "./cell.ts";
import { type Cell, type CellAddress, isFull, slotOf, tokenOf } from "./cell.ts";
import { homeCells } from "./layout.ts";
import type { Placement } from "./placement.ts";
import { generationNumbered, type Pool } from "./pool.ts";
import type { PoolStore } from "./pool-store.ts";

const nameOf = ({ generation, attempt, shard, cell }: CellAddress): string =>
  `${generation}.${attempt}.${shard}.${cell}`;

/** Different cells, each read once, by name. */
const cellsAt = async (
  store: PoolStore,
  addresses: readonly CellAddress[],
): Promise<(address: CellAddress) => Cell | undefined> => {
  const distinct = [...new Map(addresses.map((address) => [nameOf(address), address])).values()];
  const cells = distinct.length === 0 ? [] : await store.readCells(distinct);
  const byName = new Map(cells.map((cell) => [nameOf(cell.address), cell]));
  return (address) => byName.get(nameOf(address));
};

/** Which of these holders have an intent, asked one by one where the store cannot do better. */
export const whoHasIntents = (store: PoolStore, holders: readonly Holder[]): Promise<readonly boolean[]> =>
  store.haveIntents?.(holders) ??
  Promise.all(holders.map(async (holder) => (await store.intent(holder)) !== undefined));

/**
 * What these holders have, in their order, undefined for nothing; writes nothing. A first home that is not full and
 * lacks the holder proves that there is nothing to find; so does the second one; past both there is the intent.
 * The store's reads may lag by a moment, so a code that was given out just now may not be seen.
 */
export const findHeld = async (
  pool: Pool,
  holders: readonly Holder[],
): Promise<readonly (Placement | undefined)[]> => {
  const { store } = pool;
  const held = new Map<Holder, Placement>();
  pool.base ??= await store.base();
  if (pool.base === undefined) return holders.map(() => undefined);
  const base = await generationNumbered(pool, pool.base);
  const homesOf = new Map(
    holders.map((holder) => [holder, homeCells(holder.customerId, base, pool.salt)] as const),
  );

  let open: readonly Holder[] = holders;
  for (const which of [0, 1]) {
    const homes = open.map((holder) => homesOf.get(holder)?.[which]);
    const cellAt = await cellsAt(
      store,
      homes.filter((home) => home !== undefined),
    );
    open = open.filter((holder, at) => {
      const home = homes[at];
      const cell = home && cellAt(home);
      if (!cell) return true;
      const slot = slotOf(cell, tokenOf(holder));
      if (slot >= 0) held.set(holder, { generation: base, cell, slot, repeated: true });
      return slot < 0 && isFull(cell);
    });
  }

  const haveIntents = await whoHasIntents(store, open);
  for (const holder of open.filter((_, at) => haveIntents[at])) {
    const intent = await store.intent(holder);
    const addresses = intent === undefined ? [] : [intent].flat();
    const cellAt = await cellsAt(store, addresses);
    for (const address of addresses) {
      const cell = cellAt(address);
      const slot = cell ? slotOf(cell, tokenOf(holder)) : -1;
      if (cell && slot >= 0) {
        const generation = await generationNumbered(pool, address.generation);
        held.set(holder, { generation, cell, slot, repeated: true });
      }
    }
  }
  return holders.map((holder) => held.get(holder));
};
