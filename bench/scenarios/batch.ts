import type { PersonalizedPromocode } from "../../shared/domain/promocode.ts";
import { customerIds } from "../allocation/customer-ids.ts";
import { startBenchTable } from "../lib/engine.ts";
import { codeAt } from "../lib/generated-codes.ts";
import { type Meter, meter } from "../lib/meter.ts";
import type { Figure, Outcome, Run, Scenario } from "../scenario.ts";

interface Options extends Readonly<Record<string, number>> {
  readonly codes: number;
  /** Customers of a batch: a call takes 1,000 at most. */
  readonly customers: number;
}

const shares = [0, 0.5, 0.9];
/** The gateway's limit is 29 seconds: a third of it leaves room for a slow minute. */
const secondsAtMost = 29 / 3;
const singlesAtOnce = 64;
const occurenceId = "send-2026-11-23";

/** One bulk call of 1,000 customers beside as many single calls, on pools that are used alike. */
export const scenario: Scenario<Options> = {
  name: "batch",
  summary: "the bulk call of 1,000 customers beside 1,000 single calls, at 0, 50 and 90 % of the pool used",
  defaults: {
    small: { codes: 6_000, customers: 500 },
    full: { codes: 100_000, customers: 1_000 },
  },
  run: async (run) => {
    const table = await startBenchTable();
    try {
      return await compare(run);
    } finally {
      await table.close();
    }
  },
};

interface Cost {
  readonly writeUnits: number;
  readonly readUnits: number;
  readonly requests: number;
  readonly seconds: number;
  /** Of this process, not of the engine. */
  readonly cpuSeconds: number;
  /** Answers that are no code, and codes that somebody else was told too. */
  readonly wrong: number;
}

interface Compared {
  readonly share: number;
  readonly batch: Cost;
  readonly singles: Cost;
}

type Allocate = (
  promocode: PersonalizedPromocode,
  customers: readonly string[],
) => Promise<readonly (string | undefined)[]>;

const compare = async ({ options, progress }: Run<Options>): Promise<Outcome> => {
  const { dynamoDb } = await import("../../shared/storage/client.ts");
  const counting = meter(dynamoDb);
  const ways = await waysToAllocate();
  const someCustomers = customerIds();
  const pools = {
    batch: { told: new Set<string>(), promocodeId: await aPool(options.codes) },
    singles: { told: new Set<string>(), promocodeId: await aPool(options.codes) },
  };
  const all: Compared[] = [];
  let used = 0;
  for (const share of shares) {
    progress(`to ${100 * share} % used`, share);
    for (; used < share * options.codes; used += Math.min(1_000, share * options.codes - used)) {
      const customers = someCustomers(Math.min(1_000, share * options.codes - used));
      for (const { promocodeId, told } of Object.values(pools))
        for (const code of await ways.batch(await personalized(promocodeId), customers))
          if (code !== undefined) told.add(code);
    }
    progress(`at ${100 * share} % used`, share);
    const customers = someCustomers(options.customers);
    const cost = async (way: "batch" | "singles") => {
      const { promocodeId, told } = pools[way];
      return costOf(counting, ways[way], await personalized(promocodeId), customers, told);
    };
    all.push({ share, batch: await cost("batch"), singles: await cost("singles") });
    used += options.customers;
  }
  counting.stop();
  return outcomeOf(all, options);
};

const aPool = async (codes: number): Promise<string> => {
  const { aPromocode } = await import("../lib/bench-promocode.ts");
  const { publishCodes } = await import("../allocation/publish-codes.ts");
  const promocode = await aPromocode();
  await publishCodes(
    promocode,
    Array.from({ length: codes }, (_, index) => codeAt(index)),
  );
  return promocode.promocodeId;
};

/** As every call reads it. */
const personalized = async (promocodeId: string): Promise<PersonalizedPromocode> => {
  const { promocodes } = await import("../../shared/storage/promocodes.ts");
  const promocode = await promocodes.get(promocodeId);
  if (promocode.type !== "personalized") throw new Error("a pool's promocode is personalized");
  return promocode;
};

const waysToAllocate = async (): Promise<Readonly<Record<"batch" | "singles", Allocate>>> => {
  const { allocateCode, allocateCodes } = await import("../../shared/allocation/allocate-codes.ts");
  const { Failure } = await import("../../shared/domain/failure.ts");
  const occasion = () => ({ idempotencyKey: undefined, now: new Date() });
  const codeIn = (answer: Awaited<ReturnType<typeof allocateCode>>) =>
    answer instanceof Failure || answer.source !== "pool" ? undefined : answer.uniqueCode;
  return {
    batch: async (promocode, customers) => {
      const requests = customers.map((customerId) => ({ customerId, occurenceId }));
      return (await allocateCodes(promocode, requests, occasion())).map(codeIn);
    },
    singles: async (promocode, customers) => {
      const codes: (string | undefined)[] = [];
      const rest = customers.values();
      const worker = async () => {
        for (const customerId of rest)
          codes.push(codeIn(await allocateCode(promocode, { customerId, occurenceId }, occasion())));
      };
      await Promise.all(Array.from({ length: singlesAtOnce }, worker));
      return codes;
    },
  };
};

const costOf = async (
  counting: Meter,
  allocate: Allocate,
  promocode: PersonalizedPromocode,
  customers: readonly string[],
  told: Set<string>,
): Promise<Cost> => {
  counting.reset();
  const cpu = process.cpuUsage();
  const begun = performance.now();
  const codes = await allocate(promocode, customers);
  const seconds = (performance.now() - begun) / 1_000;
  const { user, system } = process.cpuUsage(cpu);
  const { writeUnits, readUnits, writeCalls, readCalls } = counting;
  if (writeUnits === 0) throw new Error("The meter saw no write: it is not on the client that allocates.");
  let wrong = 0;
  for (const code of codes) {
    if (code === undefined || told.has(code)) wrong += 1;
    else told.add(code);
  }
  return {
    writeUnits: writeUnits / customers.length,
    readUnits: readUnits / customers.length,
    requests: (writeCalls + readCalls) / customers.length,
    seconds,
    cpuSeconds: (user + system) / 1e6,
    wrong,
  };
};

const outcomeOf = (all: readonly Compared[], { customers }: Options): Outcome => ({
  figures: [
    ...all.map(
      ({ share, batch, singles }): Figure => ({
        name: `write units, batch to single calls, ${100 * share} % used`,
        value: batch.writeUnits / singles.writeUnits,
        unit: "",
        target: { atMost: 1 },
        kind: "exact",
      }),
    ),
    ...all.map(
      ({ share, batch }): Figure => ({
        name: `write units per customer of a batch, ${100 * share} % used`,
        value: batch.writeUnits,
        unit: "write units",
        kind: "exact",
      }),
    ),
    {
      name: `a batch of ${customers}, the slowest`,
      value: Math.max(...all.map(({ batch }) => batch.seconds)),
      unit: "s",
      target: { atMost: secondsAtMost },
      kind: "timed",
      note: "the gateway waits 29 s; the engine works on the same machine",
    },
    {
      name: `processor time of a batch of ${customers}, the most`,
      value: Math.max(...all.map(({ batch }) => batch.cpuSeconds)),
      unit: "s",
      target: { atMost: secondsAtMost },
      kind: "timed",
      note: "of the function's process alone: what a function of one vCPU would need at least",
    },
    {
      name: "customers without a code of their own",
      value: all.reduce((sum, { batch, singles }) => sum + batch.wrong + singles.wrong, 0),
      unit: "customers",
      target: { atMost: 0 },
      kind: "exact",
    },
  ],
  tables: [
    {
      title: `${customers} customers in one call and in as many, per customer`,
      columns: ["used %", "way", "write units", "read units", "requests", "seconds", "processor seconds"],
      rows: all.flatMap(({ share, batch, singles }) =>
        [
          { way: "one call", cost: batch },
          { way: `single calls, ${singlesAtOnce} at once`, cost: singles },
        ].map(({ way, cost }) => [
          100 * share,
          way,
          cost.writeUnits,
          cost.readUnits,
          cost.requests,
          cost.seconds,
          cost.cpuSeconds,
        ]),
      ),
    },
  ],
});
