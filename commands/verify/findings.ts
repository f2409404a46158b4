import { setTimeout as sleep } from "node:timers/promises";

/** What must hold of a pool, and how each breach of it reads. `docs/operations.md` says what to do about them. */
export const rules = {
  "base-missing": "codes were given out, but the promocode names no base",
  "base-moved": "the base was changed",
  "base-unknown": "the base names a generation that does not exist",
  "capacity-too-large": "a cell may give out more codes than it has",
  "cell-missing": "a cell of a published file is not there",
  "code-misplaced": "a code lies where look-up does not search for it",
  "code-twice": "a code is in the pool more than once",
  "codes-miscounted": "a file's cells do not hold as many codes as its record says",
  "context-missing": "a slot names a context that does not exist",
  "count-behind": "fewer codes are counted than are held",
  "count-too-high": "more codes are counted than are held",
  "file-mismatch": "a file's record and its generation do not agree",
  "generations-gap": "the numbers of the generations are not 1 to the promocode's last",
  "holder-twice": "a holder has two codes",
  "holder-unreachable":
    "a holder is neither at home nor where an intent leads: a retry would give another code",
  "mark-wrong": "a cell or shard is marked full and has free codes: they would not be given out",
  "method-foreign": "a code was given out by a method that the promocode never had",
  "not-sealed": "a withdrawn file still has codes to give out",
  overfull: "a cell has more holders than codes to give out",
  "passed-not-full": "a holder lies behind a home cell that has room: a retry would give another code",
  "sealed-early": "codes of a file that was not withdrawn can never be given out",
  "stamps-differ": "a cell's holders and their times do not match",
} as const;

export type Rule = keyof typeof rules;

/** A breach of a rule. Names no customer and no code. */
export interface Finding {
  readonly rule: Rule;
  readonly where: string;
  readonly detail: string;
}

interface Suspicion extends Finding {
  /** Reads again: whether it still looks so. */
  readonly isStill: () => Promise<boolean>;
}

/** A pool that is broken throughout is reported by its first breaches of each rule, and the number of the others. */
const keptPerRule = 100;
const looksAtOnce = 16;

/** Collects breaches. What a concurrent write can explain is a suspicion: it counts only once it was seen again. */
export class Findings {
  readonly #certain: Finding[] = [];
  readonly #suspicions: Suspicion[] = [];
  readonly #seen = new Map<Rule, number>();
  readonly #looks: readonly number[];

  /** @param looks pauses before each look at what is suspicious, in milliseconds. */
  constructor(looks: readonly number[]) {
    this.#looks = looks;
  }

  /** A breach that no write under way can explain. */
  add(finding: Finding): void {
    if (this.#mayKeep(finding.rule)) this.#certain.push(finding);
  }

  /** What looks like a breach, and may be none any more when it is read again. */
  suspect(finding: Finding, isStill: () => Promise<boolean>): void {
    if (this.#mayKeep(finding.rule)) this.#suspicions.push({ ...finding, isStill });
  }

  /** How many there are so far. */
  get count(): number {
    return [...this.#seen.values()].reduce((sum, count) => sum + count, 0);
  }

  /** All breaches, each suspicion looked at again until it is gone or was there every time. */
  async settle(): Promise<readonly Finding[]> {
    let open: readonly Suspicion[] = this.#suspicions;
    for (const pauseMs of this.#looks) {
      if (open.length === 0) break;
      await sleep(pauseMs);
      open = await stillThere(open);
    }
    const confirmed = open.map(({ rule, where, detail }) => ({ rule, where, detail }));
    return [...this.#certain, ...confirmed, ...this.#others()].sort(byRuleAndPlace);
  }

  #mayKeep(rule: Rule): boolean {
    const seen = (this.#seen.get(rule) ?? 0) + 1;
    this.#seen.set(rule, seen);
    return seen <= keptPerRule;
  }

  #others(): readonly Finding[] {
    return [...this.#seen]
      .filter(([, seen]) => seen > keptPerRule)
      .map(([rule, seen]) => ({
        rule,
        where: "elsewhere",
        detail: `${seen - keptPerRule} more places look so; they were not read again`,
      }));
  }
}

const stillThere = async (suspicions: readonly Suspicion[]): Promise<readonly Suspicion[]> => {
  const still: Suspicion[] = [];
  const rest = suspicions.values();
  const look = async () => {
    for (const suspicion of rest) if (await suspicion.isStill()) still.push(suspicion);
  };
  await Promise.all(Array.from({ length: looksAtOnce }, look));
  return still;
};

const byRuleAndPlace = (one: Finding, other: Finding): number =>
  one.rule.localeCompare(other.rule) || one.where.localeCompare(other.where, "en", { numeric: true });
