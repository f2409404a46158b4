import type { PersonalizedPromocode } from "../../shared/domain/promocode.ts";
import { customerIds } from "../allocation/customer-ids.ts";
import { startBenchTable } from "../lib/engine.ts";
import { codeAt } from "../lib/generated-codes.ts";
import { meter } from "../lib/meter.ts";
import { percentiles } from "../lib/percentiles.ts";
import type { Figure, Outcome, Run, Scenario } from "../scenario.ts";

interface Options extends Readonly<Record<string, number>> {
  /** Codes of the promocode that is asked about. */
  readonly codes: number;
  /** Promocodes that there are. */
  readonly promocodes: number;
  /** Look-ups of each kind. */
  readonly lookUps: number;
}

/** Codes of each of the other promocodes. */
const codesOfOthers = 200;

/** What a support agent asks: what does this customer hold, who holds this code. */
export const scenario: Scenario<Options> = {
  name: "look-ups",
  summary: "what a customer holds of one promocode and of all, and who holds a code: units, requests, time",
  defaults: {
    small: { codes: 2_000, promocodes: 10, lookUps: 40 },
    full: { codes: 20_000, promocodes: 100, lookUps: 500 },
  },
  run: async (run) => {
    const table = await startBenchTable();
    try {
      return await lookUp(run);
    } finally {
      await table.close();
    }
  },
};

interface LookedUp {
  readonly name: string;
  readonly readUnits: number;
  readonly requests: number;
  readonly p50: number;
  readonly p99: number;
  /** Answers that were not what they had to be. */
  readonly wrong: number;
}

const lookUp = async ({ options, progress }: Run<Options>): Promise<Outcome> => {
  const { lookUps } = options;
  const { dynamoDb } = await import("../../shared/storage/client.ts");
  const { holdingsOf } = await import("../../shared/allocation/holdings.ts");
  const { holdingsOverAll } = await import("../../shared/allocation/holdings-over-all.ts");
  const { codeStatusOf } = await import("../../shared/allocation/code-status.ts");
  const stock = await aStock(options, progress);
  const counting = meter(dynamoDb);

  const measured = async (name: string, isRight: (at: number) => Promise<boolean>): Promise<LookedUp> => {
    // The first of a process reads the list of files, which the process then remembers.
    await isRight(0);
    counting.reset();
    const milliseconds: number[] = [];
    let wrong = 0;
    for (let at = 0; at < lookUps; at += 1) {
      progress(name, at / lookUps);
      const begun = performance.now();
      if (!(await isRight(at))) wrong += 1;
      milliseconds.push(performance.now() - begun);
    }
    const { readUnits, readCalls, writeCalls } = counting;
    return {
      name,
      readUnits: readUnits / lookUps,
      requests: (readCalls + writeCalls) / lookUps,
      ...percentiles(milliseconds),
      wrong,
    };
  };
  const byCustomer = ({ promocode, codeByCustomer }: UsedPool) => {
    const held = [...codeByCustomer];
    return async (at: number) => {
      const [customerId, code] = held[Math.floor((at * held.length) / lookUps)]!;
      const holdings = await holdingsOf(promocode, customerId);
      return holdings.length === 1 && holdings[0]!.uniqueCode === code;
    };
  };
  const statusIs = (expected: string, codeOf: (at: number) => string) => async (at: number) => {
    const code = await codeStatusOf(stock.half.promocode, codeOf(at)).catch(() => undefined);
    return (code?.status ?? "unknown") === expected;
  };
  const taken = [...stock.half.codeByCustomer.values()];
  const takenCodes = new Set(taken);
  const free = stock.half.codes.filter((code) => !takenCodes.has(code));
  const all = [
    await measured("a customer's codes of one promocode, half used", byCustomer(stock.half)),
    await measured("a customer's codes of one promocode, 99 % used", byCustomer(stock.full)),
    await measured("a customer without a code", async (at) => {
      return (await holdingsOf(stock.half.promocode, `nobody-${at}`)).length === 0;
    }),
    await measured("a customer's codes of all promocodes", async (at) => {
      const customerId = stock.everywhere[at % stock.everywhere.length]!;
      const page = await holdingsOverAll(customerId, { after: undefined, limit: 100 });
      return page.holdings.length === options.promocodes;
    }),
    await measured(
      "a code that is given out",
      statusIs("allocated", (at) => taken[at % taken.length]!),
    ),
    await measured(
      "a code that is free",
      statusIs("available", (at) => free[at % free.length]!),
    ),
    await measured(
      "a code that is of no file",
      statusIs("unknown", (at) => `NONE${codeAt(at).slice(4)}`),
    ),
  ];
  counting.stop();
  return outcomeOf(all, options);
};

interface UsedPool {
  readonly promocode: PersonalizedPromocode;
  readonly codes: readonly string[];
  readonly codeByCustomer: ReadonlyMap<string, string>;
}

interface Stock {
  readonly half: UsedPool;
  readonly full: UsedPool;
  /** Customers who hold a code of every promocode. */
  readonly everywhere: readonly string[];
}

const aStock = async (
  { codes, promocodes: count }: Options,
  progress: Run<Options>["progress"],
): Promise<Stock> => {
  const { aPromocode } = await import("../lib/bench-promocode.ts");
  const { publishCodes } = await import("../allocation/publish-codes.ts");
  const { allocateCodes } = await import("../../shared/allocation/allocate-codes.ts");
  const { promocodes } = await import("../../shared/storage/promocodes.ts");
  const someCustomers = customerIds();
  const everywhere = someCustomers(20);

  const usedPool = async (size: number, used: number): Promise<UsedPool> => {
    const created = await aPromocode();
    const all = Array.from({ length: size }, (_, index) => codeAt(index));
    await publishCodes(created, all);
    const codeByCustomer = new Map<string, string>();
    const customers = [...everywhere, ...someCustomers(Math.max(0, used - everywhere.length))];
    for (let at = 0; at < customers.length; at += 1_000) {
      const promocode = await promocodes.get(created.promocodeId);
      if (promocode.type !== "personalized") throw new Error("a pool's promocode is personalized");
      const requests = customers
        .slice(at, at + 1_000)
        .map((customerId) => ({ customerId, occurenceId: "send-2026-11-23" }));
      const occasion = { idempotencyKey: undefined, now: new Date() };
      for (const answer of await allocateCodes(promocode, requests, occasion))
        if ("uniqueCode" in answer) codeByCustomer.set(answer.customerId, answer.uniqueCode);
    }
    const promocode = await promocodes.get(created.promocodeId);
    if (promocode.type !== "personalized") throw new Error("a pool's promocode is personalized");
    return { promocode, codes: all, codeByCustomer };
  };

  progress("pools to look into", 0);
  const half = await usedPool(codes, codes / 2);
  const full = await usedPool(codes, Math.floor(codes * 0.99));
  for (let others = 2; others < count; others += 1) {
    progress("pools to look into", others / count);
    await usedPool(codesOfOthers, codesOfOthers / 2);
  }
  return { half, full, everywhere };
};

const outcomeOf = (all: readonly LookedUp[], { promocodes }: Options): Outcome => {
  const unitsOf = ({ name, readUnits }: LookedUp): Figure => ({
    name: `read units, ${name}`,
    value: readUnits,
    unit: "read units",
    kind: "exact",
  });
  return {
    figures: [
      ...all.map(unitsOf),
      {
        name: "look-ups that were not answered with what the allocation had answered",
        value: all.reduce((sum, { wrong }) => sum + wrong, 0),
        unit: "",
        target: { atMost: 0 },
        kind: "exact",
      },
    ],
    tables: [
      {
        title: `look-ups, one at a time, ${promocodes} promocodes`,
        columns: ["look-up", "read units", "requests", "p50 ms", "p99 ms"],
        rows: all.map(({ name, readUnits, requests, p50, p99 }) => [name, readUnits, requests, p50, p99]),
      },
    ],
  };
};
