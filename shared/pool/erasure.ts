import {
  type Cell,
  type CellAddress,
  type Holder,
  holderOf,
  type Stamp,
  sameAddress,
  tokenOf,
} from "./cell.ts";
import { slotsOfCustomer } from "./lookup.ts";

/** An intent as it is stored: whose, and the cell that it names. */
export interface PlacedIntent {
  readonly holder: Holder;
  readonly address: CellAddress;
}

/** A slot that the customer holds. */
export interface HeldSlot {
  readonly address: CellAddress;
  readonly slot: number;
  readonly token: string;
}

/** What is erased together: few enough to be noted on one record. */
export interface ErasureBatch {
  readonly slots: readonly HeldSlot[];
  readonly intents: readonly PlacedIntent[];
}

/** Everything that the erasure of one customer asks of a promocode's store. All reads are strongly consistent. */
export interface ErasureStore {
  /** These different cells. */
  cells(addresses: readonly CellAddress[]): Promise<readonly Cell[]>;
  /** The customer's intents, page by page. */
  intents(): AsyncIterable<readonly PlacedIntent[]>;
  /** The cell that the holder's intent names. */
  intent(holder: Holder): Promise<CellAddress | undefined>;
  /** Cells that intents named which an erasure of the customer has removed, page by page. */
  traces(): AsyncIterable<readonly CellAddress[]>;
  /** Remembers these cells until this erasure is over. */
  leaveTraces(addresses: readonly CellAddress[]): Promise<void>;
  /** Puts the tombstone into the slot if the token is in it. The list keeps its length. */
  overwrite(slot: HeldSlot): Promise<void>;
  /** Removes the intent if it still names that cell. */
  removeIntent(intent: PlacedIntent): Promise<void>;
}

export interface Erasure {
  readonly store: ErasureStore;
  readonly customerId: string;
  /** The customer's home cells; none before the pool's first allocation. */
  readonly homes: readonly CellAddress[];
  /** Whether what was stamped so is to go, or belongs to whoever came with that id since the erasure was asked for. */
  readonly isOld: (stamp: Stamp) => boolean;
}

/**
 * An erasure looks at every pool at least twice and is over when a whole round found nothing. Between two rounds all
 * calls end that were under way: one of them may have read an intent just before it was removed, and still takes a
 * code from the cell that it named.
 */
export const isOver = ({ round, found }: { readonly round: number; readonly found: number }): boolean =>
  round > 1 && found === 0;

const nameOf = ({ generation, attempt, shard, cell }: CellAddress): string =>
  `${generation}.${attempt}.${shard}.${cell}`;

const distinct = (addresses: readonly CellAddress[]): readonly CellAddress[] => [
  ...new Map(addresses.map((address) => [nameOf(address), address])).values(),
];

/**
 * What is to be erased of a pool, found on the three ways that lead to a customer's codes: their home cells, their
 * intents, and the cells that intents named before an erasure removed them. Each batch must be erased before the
 * next one is asked for.
 */
export async function* findToErase({
  store,
  customerId,
  homes,
  isOld,
}: Erasure): AsyncGenerator<ErasureBatch> {
  const heldIn = async (addresses: readonly CellAddress[]) => {
    const cells = addresses.length === 0 ? [] : await store.cells(distinct(addresses));
    return cells.flatMap((cell) =>
      slotsOfCustomer(cell, customerId).map((slot) => ({
        address: cell.address,
        slot,
        token: cell.tokens[slot]!,
        isOld: isOld(cell.stamps[slot]!),
      })),
    );
  };
  const isHome = (address: CellAddress) => homes.some((home) => sameAddress(home, address));
  /** A code that no way leads to any more is nobody's: its holder would get another one. */
  const isLost = async ({ address, token }: HeldSlot) => {
    const named = await store.intent(holderOf(token));
    return named === undefined || !sameAddress(named, address);
  };

  yield { slots: (await heldIn(homes)).filter((held) => held.isOld), intents: [] };
  for await (const intents of store.intents()) {
    const held = await heldIn(intents.map(({ address }) => address));
    const leadsToNew = ({ holder, address }: PlacedIntent) =>
      held.some(
        (slot) => !slot.isOld && slot.token === tokenOf(holder) && sameAddress(slot.address, address),
      );
    yield {
      slots: held.filter((slot) => slot.isOld),
      intents: intents.filter((intent) => !leadsToNew(intent)),
    };
  }
  // After the intents: one that another erasure has removed by then has left its trace before.
  for await (const traces of store.traces()) {
    const held = await heldIn(traces.filter((address) => !isHome(address)));
    const lost = await Promise.all(held.map(async (slot) => slot.isOld || (await isLost(slot))));
    yield { slots: held.filter((_, at) => lost[at]), intents: [] };
  }
}

/**
 * Erases what was found. A crash between any two of these writes leaves a way to what is left of the customer: an
 * intent goes only after its cell's slots were overwritten and a trace leads to the cell.
 */
export const eraseBatch = async (store: ErasureStore, { slots, intents }: ErasureBatch): Promise<void> => {
  await Promise.all(slots.map((slot) => store.overwrite(slot)));
  if (intents.length > 0) await store.leaveTraces(distinct(intents.map(({ address }) => address)));
  await Promise.all(intents.map((intent) => store.removeIntent(intent)));
};
