import type { Allocation } from "../contract/allocations.ts";
import type { PersonalizedPromocode } from "../domain/promocode.ts";
import { promocodesAfter } from "../storage/promocodes-after.ts";
import { holdingsOf, positionOf } from "./holdings.ts";

/** Promocodes that one page looks through; a customer's codes have no index over all of them. */
const promocodesPerPage = 100;
const promocodesAtOnce = 10;

export interface Holding {
  readonly allocation: Allocation;
  /** Where a look-up goes on after this one. */
  readonly position: string;
}

export interface HoldingsPage {
  readonly holdings: readonly Holding[];
  /** Where the next page goes on; undefined at the end. */
  readonly next: string | undefined;
}

/** A position is a promocode's id and, when the page ended within it, the place among its holdings. */
const parsePosition = (
  position: string,
): { readonly promocodeId: string; readonly within: string | undefined } => {
  const space = position.indexOf(" ");
  return space < 0
    ? { promocodeId: position, within: undefined }
    : { promocodeId: position.slice(0, space), within: position.slice(space + 1) };
};

const holdingsInAll = async (
  promocodes: readonly PersonalizedPromocode[],
  customerId: string,
): Promise<readonly Holding[]> => {
  const holdings: Holding[] = [];
  for (let first = 0; first < promocodes.length; first += promocodesAtOnce) {
    const some = promocodes.slice(first, first + promocodesAtOnce);
    const held = await Promise.all(some.map((promocode) => holdingsOf(promocode, customerId)));
    for (const allocation of held.flat())
      holdings.push({ allocation, position: `${allocation.promocodeId} ${positionOf(allocation)}` });
  }
  return holdings;
};

/** Pages without any holding that are passed over before an empty one is answered. */
const mostEmptyPages = 20;

/** What a customer holds, promocode by promocode in the order of their ids; at most `limit`, perhaps fewer. */
export const holdingsOverAll = async (
  customerId: string,
  { after, limit }: { readonly after: string | undefined; readonly limit: number },
): Promise<HoldingsPage> => {
  let page = await holdingsPage(customerId, { after, limit });
  for (
    let empty = 1;
    page.holdings.length === 0 && page.next !== undefined && empty < mostEmptyPages;
    empty++
  )
    page = await holdingsPage(customerId, { after: page.next, limit });
  return page;
};

const holdingsPage = async (
  customerId: string,
  { after, limit }: { readonly after: string | undefined; readonly limit: number },
): Promise<HoldingsPage> => {
  const start = after === undefined ? undefined : parsePosition(after);
  const { promocodes, lastId } = await promocodesAfter(start?.promocodeId, {
    limit: promocodesPerPage,
    // A page that ended within a promocode goes on within it.
    inclusive: start?.within !== undefined,
  });
  const personalized = promocodes.filter((promocode) => promocode.type === "personalized");
  const all = await holdingsInAll(personalized, customerId);
  const rest = all.filter(
    ({ position }) => after === undefined || position > after || start?.within === undefined,
  );
  if (rest.length > limit) {
    const holdings = rest.slice(0, limit);
    return { holdings, next: holdings.at(-1)?.position };
  }
  return { holdings: rest, next: lastId };
};
