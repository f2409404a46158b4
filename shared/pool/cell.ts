/** Where a cell is within its promocode. */
export interface CellAddress {
  readonly generation: number;
  readonly attempt: number;
  readonly shard: number;
  readonly cell: number;
}

/** When a slot was taken, and the id of the occurrence, series and action it was taken for ("" for none). */
export interface Stamp {
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly contextId: string;
}

/**
 * Up to 20 codes and those who hold them. The position in `tokens` is the code that was handed out.
 * Four invariants carry every promise: tokens only grow, capacity only shrinks, codes never change, base never moves.
 */
export interface Cell {
  readonly address: CellAddress;
  /** How many of the codes may be handed out; fewer than `codes` once the cell was sealed. */
  readonly capacity: number;
  readonly codes: readonly string[];
  readonly tokens: readonly string[];
  readonly stamps: readonly Stamp[];
}

export const isFull = (cell: Cell): boolean => cell.tokens.length >= cell.capacity;

/** The slot that the token holds, or -1. */
export const slotOf = (cell: Cell, token: string): number => cell.tokens.indexOf(token);

/** Separates customer and trigger in a token; neither can hold a control character. */
const unitSeparator = "\u001f";

/** Who a code is for: a customer and, under Varying, the trigger that makes the call unique. */
export interface Holder {
  readonly customerId: string;
  readonly trigger: string | null;
}

export const tokenOf = ({ customerId, trigger }: Holder): string =>
  trigger === null ? customerId : `${customerId}${unitSeparator}${trigger}`;

export const holderOf = (token: string): Holder => {
  const end = token.indexOf(unitSeparator);
  return end < 0
    ? { customerId: token, trigger: null }
    : { customerId: token.slice(0, end), trigger: token.slice(end + 1) };
};

/** Stands in a slot whose holder was erased; no customer id can be it. */
export const tombstone = `${unitSeparator}erased`;

export const sameAddress = (one: CellAddress, other: CellAddress): boolean =>
  one.generation === other.generation &&
  one.attempt === other.attempt &&
  one.shard === other.shard &&
  one.cell === other.cell;
