/** What a customer was told. `given up`: the bench stopped the call between two attempts, before it took a code. */
export type Answer = { readonly code: string } | "dry" | "given up";

/** What one customer was told. */
export interface Given {
  readonly customerId: string;
  readonly answer: Answer;
}

/** Codes given to customers in order, as far as they went. */
export const givenTo = (customers: readonly string[], codes: readonly string[]): readonly Given[] =>
  customers.map((customerId, at) => {
    const code = codes[at];
    return { customerId, answer: code === undefined ? "dry" : { code } };
  });

/**
 * One function instance as Lambda runs it: it serves one call at a time and knows of the pool what it saw itself.
 * After the signal a caller that would try many times more gives up; others go on to their end.
 */
export type Caller = (customerId: string, signal?: AbortSignal) => Promise<Answer>;

/** What a contender's table holds, read in full. */
export interface Stock {
  /** Codes that can still be given out. */
  readonly free: number;
  /** Who the table says holds a code. */
  readonly holderByCode: ReadonlyMap<string, string>;
}

/** A way to give out codes, on tables of its own. */
export interface Contender {
  readonly name: string;
  /** Begins anew with a pool of these codes, all free. */
  prepare(codes: readonly string[]): Promise<void>;
  newCaller(): Caller;
  /**
   * Leaves the pool as calls of these customers would have left it, without being measured. May make these very calls,
   * by the callers, or write at once what they would have written.
   */
  fill(customers: readonly string[], callers: readonly Caller[]): Promise<readonly Given[]>;
  stock(): Promise<Stock>;
}
