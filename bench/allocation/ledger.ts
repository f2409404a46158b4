import type { Given, Stock } from "./contender.ts";

/** What must never happen, counted. */
export interface Exactness {
  /** Codes that are used up though their holder was never told them. */
  readonly burnt: number;
  /** Codes that were told to customers of whom none holds them. */
  readonly lost: number;
  /** Customers who were told two different codes. */
  readonly customersWithTwo: number;
  /** Codes that two different customers were told. */
  readonly givenTwice: number;
  /** Answers that the pool is dry while it was not. */
  readonly falseDry: number;
}

/** Notes what customers were told, and holds it against what a contender's table says. */
export class Ledger {
  readonly #codes: number;
  readonly #codesByCustomer = new Map<string, Set<string>>();
  readonly #customersByCode = new Map<string, Set<string>>();
  #dry = 0;
  #falseDry = 0;

  /** `codes`: how many the pool began with. */
  constructor(codes: number) {
    this.#codes = codes;
  }

  /** How many codes customers were told. */
  get given(): number {
    return this.#customersByCode.size;
  }

  note(all: readonly Given[]): void {
    for (const { customerId, answer } of all) {
      if (answer === "dry") this.#dry += 1;
      if (typeof answer === "string") continue;
      addTo(this.#codesByCustomer, customerId, answer.code);
      addTo(this.#customersByCode, answer.code, customerId);
    }
  }

  /**
   * A code never becomes free again, so whoever was told since the last check that there is none, while one is still
   * free now, was told wrongly.
   */
  check({ free, holderByCode }: Stock): Exactness {
    if (free > 0) this.#falseDry += this.#dry;
    this.#dry = 0;
    const told = [...holderByCode].filter(([code, customerId]) =>
      this.#customersByCode.get(code)?.has(customerId),
    ).length;
    const isLost = ([code, customers]: readonly [string, ReadonlySet<string>]) =>
      !customers.has(holderByCode.get(code) ?? "");
    return {
      burnt: this.#codes - free - told,
      lost: [...this.#customersByCode].filter(isLost).length,
      customersWithTwo: withSeveral(this.#codesByCustomer),
      givenTwice: withSeveral(this.#customersByCode),
      falseDry: this.#falseDry,
    };
  }
}

const addTo = (sets: Map<string, Set<string>>, key: string, value: string): void => {
  const set = sets.get(key);
  if (set) set.add(value);
  else sets.set(key, new Set([value]));
};

const withSeveral = (sets: ReadonlyMap<string, ReadonlySet<string>>): number =>
  [...sets.values()].filter((set) => set.size > 1).length;
