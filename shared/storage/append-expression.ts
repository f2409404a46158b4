import { type Cell, slotOf, tokenOf } from "../pool/cell.ts";
import type { NewHolder } from "../pool/pool-store.ts";
import { encodeStamp } from "./cells.ts";

const aSlotIsFree = "size(u) < k";
const allFit = "k >= :capacity AND size(u) <= :most";
const isNotIn = (token: string) => `NOT contains(u, ${token})`;

/** The only write that hands out a code: adds the holders to a cell if all of them fit and none is in it. */
export const appendExpression = (
  holders: readonly [NewHolder, ...NewHolder[]],
  capacity: number,
): {
  readonly UpdateExpression: string;
  readonly ConditionExpression: string;
  readonly ExpressionAttributeValues: Readonly<Record<string, string | number | readonly string[]>>;
} => {
  const tokens = Object.fromEntries(holders.map(({ holder }, at) => [`:t${at}`, tokenOf(holder)]));
  const fits = holders.length === 1 ? aSlotIsFree : allFit;
  return {
    UpdateExpression: "SET u = list_append(u, :tokens), t = list_append(t, :stamps)",
    ConditionExpression: [fits, ...Object.keys(tokens).map(isNotIn)].join(" AND "),
    ExpressionAttributeValues: {
      ...tokens,
      ":tokens": holders.map(({ holder }) => tokenOf(holder)),
      ":stamps": holders.map(({ stamp }) => encodeStamp(stamp)),
      ...(holders.length > 1 && { ":capacity": capacity, ":most": capacity - holders.length }),
    },
  };
};

/** True when the cell holds all of them with the very stamps of this call. */
export const holdsAll = (cell: Cell, holders: readonly NewHolder[]): boolean =>
  holders.every(({ holder, stamp }) => {
    const held = cell.stamps[slotOf(cell, tokenOf(holder))];
    return held?.at === stamp.at && held.contextId === stamp.contextId;
  });
