import type { Caller, Contender } from "../allocation/contender.ts";
import { customerIds } from "../allocation/customer-ids.ts";
import { ifLarge } from "../allocation/if-large.ts";
import { type Exactness, Ledger } from "../allocation/ledger.ts";
import { type Measured, measure } from "../allocation/measure.ts";
import { startWorld, type World } from "../allocation/world.ts";
import { codeAt } from "../lib/generated-codes.ts";
import { percentile } from "../lib/percentiles.ts";
import type { Figure, Outcome, Run, Scenario, Table } from "../scenario.ts";

interface Options extends Readonly<Record<string, number>> {
  readonly codes: number;
  /** Callers at once, of all contenders. */
  readonly concurrency: number;
  /**
   * How many allocations of each of twelve slices the baselines make. The slice's other codes are given out unmeasured,
   * and the sample stands for the whole slice. Ours makes every call.
   */
  readonly sample: number;
  /** The same for first-available, where each takes as many requests as there are callers and more. */
  readonly firstAvailableSample: number;
}

/** Used shares at which slices end: finer where a pool runs out. */
const sliceEnds = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1];

/** A pool's whole life, from the first code to the last, ours beside what one would build instead. */
export const scenario: Scenario<Options> = {
  name: "life",
  summary: "a pool's whole life, empty to dry: what an allocation costs at each share used, beside baselines",
  defaults: {
    small: { codes: 1_500, concurrency: 100, sample: 30, firstAvailableSample: 3 },
    full: { codes: 100_000, concurrency: 100, sample: 3_000, firstAvailableSample: 100 },
  },
  run: async (run) => {
    const world = await startWorld();
    try {
      return outcomeOf(run.options, await liveAll(world, run));
    } finally {
      await world.close();
    }
  },
};

interface Slice extends Measured {
  readonly end: number;
  /** Allocations of the whole slice, measured or not. */
  readonly size: number;
}

interface Life {
  readonly name: string;
  readonly slices: readonly Slice[];
  readonly exactness: Exactness;
}

interface Lives {
  readonly alone: Life;
  readonly ours: Life;
  readonly randomStart: Life;
  readonly firstAvailable: Life;
  readonly cursor: Life;
}

const liveAll = async (
  world: World,
  { options, progress }: Pick<Run<Options>, "options" | "progress">,
): Promise<Lives> => {
  const { codes, concurrency, sample, firstAvailableSample } = options;
  const { codewell, randomStart, firstAvailable, cursor } = world.contenders;
  const tell = (name: string) => (share: number) => progress(`life of ${name}`, share);
  const baseline = (contender: Contender, enough: number) =>
    live(world, contender, { codes, concurrency, enough, tell: tell(contender.name) });
  return {
    alone: await live(world, codewell, { codes, concurrency: 1, tell: tell("ours, one at a time") }),
    ours: await live(world, codewell, { codes, concurrency, tell: tell("ours") }),
    randomStart: await baseline(randomStart, sample),
    firstAvailable: await baseline(firstAvailable, firstAvailableSample),
    cursor: await baseline(cursor, sample),
  };
};

interface Living {
  readonly codes: number;
  readonly concurrency: number;
  readonly enough?: number;
  readonly tell: (share: number) => void;
}

const live = async (
  { meter }: World,
  contender: Contender,
  { codes, concurrency, enough, tell }: Living,
): Promise<Life> => {
  tell(0);
  await contender.prepare(Array.from({ length: codes }, (_, index) => codeAt(index)));
  const callers: readonly Caller[] = Array.from({ length: concurrency }, () => contender.newCaller());
  const someCustomers = customerIds();
  const ledger = new Ledger(codes);
  const slices: Slice[] = [];
  for (const end of sliceEnds) {
    const size = Math.round(end * codes) - ledger.given;
    const measured = await measure(meter, callers, someCustomers(size), { enough });
    ledger.note(measured.calls);
    const left = Math.round(end * codes) - ledger.given;
    if (enough !== undefined) ledger.note(await contender.fill(someCustomers(left), callers));
    slices.push({ ...measured, end, size });
    tell(end);
  }
  const name = `${contender.name}, ${concurrency} at once`;
  return { name, slices, exactness: ledger.check(await contender.stock()) };
};

/** Adds up slices by their allocations, of which perhaps only some were measured. */
const perAllocation = (
  { slices }: Life,
  amountOf: (slice: Slice) => number,
  isIn: (slice: Slice) => boolean = () => true,
): number => {
  const chosen = slices.filter(isIn);
  const total = chosen.reduce((sum, slice) => sum + (amountOf(slice) / slice.allocations) * slice.size, 0);
  return total / chosen.reduce((sum, { size }) => sum + size, 0);
};

const units = ({ writeUnits }: Slice): number => writeUnits;
const toHalf = ({ end }: Slice): boolean => end <= 0.5;
const atHalf = ({ end }: Slice): boolean => end === 0.5;
const lastPercent = ({ end }: Slice): boolean => end === 1;

const outcomeOf = ({ codes, concurrency }: Options, lives: Lives): Outcome => {
  const { alone, ours, randomStart, firstAvailable, cursor } = lives;
  const all = [alone, ours, randomStart, firstAvailable, cursor];
  const requestsToHalf = ours.slices
    .filter(toHalf)
    .flatMap(({ calls }) => calls.map(({ requests }) => requests));
  type Judged = Pick<Figure, "target" | "note">;
  const always = (atMost: number): Judged => ({ target: { atMost } });
  const large = (atMost: number): Judged => ifLarge({ codes, concurrency }, { atMost });
  const unitsOver = (name: string, life: Life, isIn: (slice: Slice) => boolean, judged: Judged): Figure => ({
    name: `write units per allocation, ${name}`,
    value: perAllocation(life, units, isIn),
    unit: "write units",
    ...judged,
    kind: "exact",
  });
  const toOther = (other: Life, judged: Judged = {}): Figure => ({
    name: `write units over the whole life, ours to ${other.name}`,
    value: perAllocation(ours, units) / perAllocation(other, units),
    unit: "",
    ...judged,
    kind: "exact",
  });
  const never = (name: string, count: (exactness: Exactness) => number): Figure => ({
    name: `ours, ${name}`,
    value: count(alone.exactness) + count(ours.exactness),
    unit: "",
    target: { atMost: 0 },
    kind: "exact",
    note: "the table read in full and held against every answer",
  });
  return {
    figures: [
      unitsOver(`to half full, ${concurrency} at once`, ours, toHalf, always(1.02)),
      unitsOver(`whole life, ${concurrency} at once`, ours, () => true, large(1.2)),
      unitsOver(`last 1 %, ${concurrency} at once`, ours, lastPercent, large(3)),
      unitsOver("to half full, one at a time", alone, toHalf, always(1.02)),
      unitsOver("whole life, one at a time", alone, () => true, always(1.2)),
      unitsOver("last 1 %, one at a time", alone, lastPercent, always(3)),
      toOther(randomStart, always(1 / 2.4)),
      toOther(firstAvailable, large(1 / 50)),
      toOther(cursor),
      {
        name: "round trips per allocation to half full, median",
        value: percentile(requestsToHalf, 0.5),
        unit: "requests",
        target: { atMost: 1 },
        kind: "exact",
      },
      {
        name: "round trips per allocation to half full, mean",
        value: perAllocation(ours, ({ requests }) => requests, toHalf),
        unit: "requests",
        kind: "exact",
        note: "above one by the homes that are full already and the marks of cells that became full",
      },
      {
        name: `retries per allocation, 40 to 50 % used, ${concurrency} at once`,
        value: perAllocation(ours, ({ refused }) => refused, atHalf),
        unit: "refused writes",
        target: { atMost: 0.05 },
        kind: "exact",
      },
      never("codes burnt or lost", ({ burnt, lost }) => burnt + lost),
      never(
        "codes given twice and customers given two",
        ({ givenTwice, customersWithTwo }) => givenTwice + customersWithTwo,
      ),
      never("false answers that the pool is dry", ({ falseDry }) => falseDry),
    ],
    tables: [
      bySlice("write units per allocation, by used share", all, units),
      bySlice("read units per allocation, by used share", all, ({ readUnits }) => readUnits),
      bySlice("requests per allocation, by used share", all, ({ requests }) => requests),
      bySlice("refused writes per allocation, by used share", all, ({ refused }) => refused),
      {
        title: "a whole life",
        columns: [
          "contender",
          "write units",
          "read units",
          "requests",
          "refused writes",
          "allocations/s",
          "measured",
          "burnt",
          "lost",
          "given twice",
          "false dry",
        ],
        rows: all.map((life) => [
          life.name,
          perAllocation(life, units),
          perAllocation(life, ({ readUnits }) => readUnits),
          perAllocation(life, ({ requests }) => requests),
          perAllocation(life, ({ refused }) => refused),
          1 / perAllocation(life, ({ seconds }) => seconds),
          sum(life, ({ allocations }) => allocations) / sum(life, ({ size }) => size),
          life.exactness.burnt,
          life.exactness.lost,
          life.exactness.givenTwice,
          life.exactness.falseDry,
        ]),
      },
    ],
  };
};

const sum = ({ slices }: Life, amountOf: (slice: Slice) => number): number =>
  slices.reduce((total, slice) => total + amountOf(slice), 0);

const bySlice = (title: string, lives: readonly Life[], amountOf: (slice: Slice) => number): Table => ({
  title,
  columns: ["used up to %", ...lives.map(({ name }) => name)],
  rows: sliceEnds.map((end, at) => [
    Math.round(end * 100),
    ...lives.map(({ slices }) => amountOf(slices[at]!) / slices[at]!.allocations),
  ]),
});
