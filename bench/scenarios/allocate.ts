import type { Caller, Contender } from "../allocation/contender.ts";
import { customerIds } from "../allocation/customer-ids.ts";
import { ifLarge } from "../allocation/if-large.ts";
import { type Exactness, Ledger } from "../allocation/ledger.ts";
import { type Measured, measure } from "../allocation/measure.ts";
import { takeTurns } from "../allocation/take-turns.ts";
import { startWorld, type World } from "../allocation/world.ts";
import { codeAt } from "../lib/generated-codes.ts";
import type { Figure, Outcome, Scenario } from "../scenario.ts";

interface Options extends Readonly<Record<string, number>> {
  /** Codes of a pool; a pool for more than a hundredth of it at once is larger, so that its last 1 % serves them all. */
  readonly codes: number;
  /** Callers at once; 0 for 1, 10, 100 and on up to `mostConcurrency`. */
  readonly concurrency: number;
  readonly mostConcurrency: number;
  /** First-available is measured for about so many refused writes at each point: each code costs it a round of all. */
  readonly firstAvailableRefusals: number;
}

/** Used shares at which a stretch of calls is measured, before the last 1 %, which is measured to its very last code. */
const shares = [0, 0.5, 0.9];
const codesPerCaller = 100;
/** A stretch is at most this share of the pool, so that it is still about the share it is named after. */
const longestStretch = 0.09;
const mostTwins = 50;

/** One allocation at a time and up to 1,000 at once, at each stage of a pool's life, ours and the baselines. */
export const scenario: Scenario<Options> = {
  name: "allocate",
  summary: "allocation at 0, 50, 90, 99 and 100 % of the pool used, 1 to 1,000 at once, beside baselines",
  defaults: {
    small: { codes: 1_000, concurrency: 0, mostConcurrency: 100, firstAvailableRefusals: 250 },
    full: { codes: 20_000, concurrency: 0, mostConcurrency: 1_000, firstAvailableRefusals: 10_000 },
  },
  run: async ({ options, progress }) => {
    const world = await startWorld();
    try {
      const plan = concurrenciesOf(options).flatMap((concurrency) =>
        Object.values(world.contenders).map((contender) => ({ contender, concurrency })),
      );
      const stages: Stages[] = [];
      for (const { contender, concurrency } of plan) {
        progress(`${contender.name}, ${concurrency} at once`, stages.length / plan.length);
        stages.push(await playStages(world, contender, concurrency, options));
      }
      return outcomeOf(stages, world.contenders.codewell.name);
    } finally {
      await world.close();
    }
  },
};

const concurrenciesOf = ({ concurrency, mostConcurrency }: Options): readonly number[] =>
  concurrency > 0 ? [concurrency] : [1, 10, 100, 1_000].filter((atOnce) => atOnce <= mostConcurrency);

interface Point extends Measured {
  /** Used share at its beginning. */
  readonly share: number;
  readonly atOnce: number;
}

/** One contender's pool from its first code to dry, measured at every share. */
interface Stages {
  readonly contender: string;
  readonly concurrency: number;
  readonly codes: number;
  readonly points: readonly Point[];
  readonly exactness: Exactness;
}

const playStages = async (
  { meter, contenders }: World,
  contender: Contender,
  concurrency: number,
  options: Options,
): Promise<Stages> => {
  const codes = Math.max(options.codes, concurrency === 1_000 ? codesPerCaller * concurrency : 0);
  const enough =
    contender === contenders.firstAvailable && concurrency > 1
      ? Math.max(5, Math.ceil(options.firstAvailableRefusals / concurrency))
      : undefined;
  await contender.prepare(Array.from({ length: codes }, (_, index) => codeAt(index)));
  const callers = Array.from({ length: concurrency }, () => contender.newCaller());
  const someCustomers = customerIds();
  const ledger = new Ledger(codes);
  const fillTo = async (given: number) => {
    const missing = someCustomers(Math.max(0, given - ledger.given));
    if (missing.length > 0) ledger.note(await contender.fill(missing, callers));
  };

  const points: Point[] = [];
  const play = async (share: number, customers: number) => {
    const measured = await measure(meter, callers, someCustomers(customers), { enough });
    ledger.note(measured.calls);
    points.push({ ...measured, share, atOnce: Math.min(concurrency, customers) });
  };
  const stretch = Math.min(Math.max(2 * concurrency, codes / 100), codes * longestStretch);
  for (const share of shares) {
    await fillTo(share * codes);
    await play(share, Math.ceil(stretch));
    if (share === 0.5)
      ledger.note(await askRepeatedly(callers, someCustomers(Math.min(mostTwins, codes / 100))));
  }
  // By what is free: a code that was burnt is not given out, but gone.
  const leave = Math.floor(codes / 100);
  const { free } = await contender.stock();
  ledger.note(await contender.fill(someCustomers(free - leave), callers));
  await play(0.99, leave);
  if (enough === undefined) ledger.check(await contender.stock());
  else await fillTo(codes);
  await play(1, Math.max(concurrency, 20));
  return {
    contender: contender.name,
    concurrency,
    codes,
    points,
    exactness: ledger.check(await contender.stock()),
  };
};

/** Each customer asks twice at the same time, as a retry that overtakes does, and once more later. */
const askRepeatedly = async (callers: readonly Caller[], customers: readonly string[]) => {
  const twins = await takeTurns(
    callers,
    customers.flatMap((customerId) => [customerId, customerId]),
  );
  const later = await takeTurns(callers, customers);
  return [...twins.calls, ...later.calls];
};

const outcomeOf = (stages: readonly Stages[], name: string): Outcome => {
  const ours = stages.filter(({ contender }) => contender === name);
  return {
    figures: [
      ...retriesAt(ours, 100, 0.5, 0.05),
      ...retriesAt(ours, 1_000, 0.99, 0.35),
      ...ours.map(({ concurrency, points }): Figure => {
        const half = points.find(({ share }) => share === 0.5)!;
        return {
          name: `allocations per second, ${concurrency} at once, half full`,
          value: half.allocations / half.seconds,
          unit: "allocations/s",
          kind: "timed",
          note: "engine and all callers on one machine",
        };
      }),
      never(ours, "codes burnt or lost", ({ burnt, lost }) => burnt + lost),
      never(
        ours,
        "codes given twice and customers given two",
        (exactness) => exactness.givenTwice + exactness.customersWithTwo,
      ),
      never(ours, "false answers that the pool is dry", ({ falseDry }) => falseDry),
    ],
    tables: [
      {
        title: "allocation at each share of the pool used",
        columns: [
          "contender",
          "used %",
          "at once",
          "calls",
          "codes",
          "write units",
          "read units",
          "requests",
          "refused writes",
          "p50 ms",
          "p99 ms",
          "codes/s",
        ],
        rows: stages.flatMap(({ contender, points }) => points.map((point) => rowOf(contender, point))),
      },
      {
        title: "exactness over all of it, customers who ask two at once and again included",
        columns: ["contender", "at once", "burnt", "lost", "customers given two", "given twice", "false dry"],
        rows: stages.map(({ contender, concurrency, exactness }) => [
          contender,
          concurrency,
          exactness.burnt,
          exactness.lost,
          exactness.customersWithTwo,
          exactness.givenTwice,
          exactness.falseDry,
        ]),
      },
    ],
  };
};

/** What follows the counts is per code that was given, and per call where the pool is dry. */
const rowOf = (contender: string, point: Point): readonly (string | number)[] => {
  const { share, atOnce, calls, allocations, dry, seconds } = point;
  const per = allocations > 0 ? allocations : dry;
  return [
    contender,
    Math.round(100 * share),
    atOnce,
    calls.length,
    allocations,
    point.writeUnits / per,
    point.readUnits / per,
    point.requests / per,
    point.refused / per,
    point.p50,
    point.p99,
    allocations / seconds,
  ];
};

const retriesAt = (
  ours: readonly Stages[],
  concurrency: number,
  share: number,
  atMost: number,
): readonly Figure[] => {
  const stages = ours.find((candidate) => candidate.concurrency === concurrency);
  const point = stages?.points.find((candidate) => candidate.share === share);
  if (stages === undefined || point === undefined) return [];
  return [
    {
      name: `retries per allocation, ${concurrency} at once, ${share === 0.99 ? "last 1 %" : "half full"}`,
      value: point.refused / point.allocations,
      unit: "refused writes",
      ...ifLarge(stages, { atMost }),
      kind: "exact",
    },
  ];
};

const never = (ours: readonly Stages[], what: string, count: (exactness: Exactness) => number): Figure => ({
  name: `ours, ${what}`,
  value: ours.reduce((sum, { exactness }) => sum + count(exactness), 0),
  unit: "",
  target: { atMost: 0 },
  kind: "exact",
  note: "the table read in full and held against every answer",
});
