/** Who asked: a customer under Consistent; a customer and a trigger under Varying. */
export interface Claim {
  readonly customerId: string;
  /** What makes the call known again; null under Consistent. */
  readonly trigger: string | null;
}

/** What a promocode's callers were answered, and every answer that contradicts an earlier one. */
export class Ledger {
  readonly #codeByClaim = new Map<string, string>();
  readonly #claimByCode = new Map<string, string>();
  readonly #claims: Claim[] = [];
  /** Codes that were answered to two. */
  readonly givenTwice = new Set<string>();
  /** Claims that were answered with two codes. */
  readonly withTwo = new Set<string>();

  note(claim: Claim, code: string): void {
    const name = nameOf(claim);
    const had = this.#codeByClaim.get(name);
    if (had !== undefined && had !== code) this.withTwo.add(name);
    const holder = this.#claimByCode.get(code);
    if (holder !== undefined && holder !== name) this.givenTwice.add(code);
    if (had !== undefined) return;
    this.#codeByClaim.set(name, code);
    this.#claimByCode.set(code, name);
    this.#claims.push(claim);
  }

  /** Claims that hold a code. */
  get size(): number {
    return this.#claims.length;
  }

  /** One that holds a code, to be asked for again. */
  anyClaim(): Claim | undefined {
    return this.#claims[Math.floor(Math.random() * this.#claims.length)];
  }

  /** Every code that was answered so far, with its customer. */
  holdings(): ReadonlyMap<string, string> {
    return new Map([...this.#claimByCode].map(([code, name]) => [code, customerOf(name)]));
  }
}

/** Ids of the soak hold no blank. */
const nameOf = ({ customerId, trigger }: Claim): string => `${customerId} ${trigger ?? ""}`;
const customerOf = (name: string): string => name.slice(0, name.indexOf(" "));
