import { randomUUID } from "node:crypto";
import type { Endpoints } from "../../local/local-service.ts";
import { routes } from "../../shared/contract/routes.ts";
import type { PersonalizedPromocode } from "../../shared/domain/promocode.ts";
import { ServiceClient } from "../../test/support/service-client.ts";
import { Apart } from "../lib/apart.ts";
import { codeAt } from "../lib/generated-codes.ts";
import { bareWrites } from "../overhead/bare-write.ts";
import { allocateBy, becomeFunction, builtHandler } from "../overhead/in-process.ts";
import { poster } from "../overhead/post.ts";
import { type Timed, timeAll } from "../overhead/time.ts";
import type { Figure, Outcome, Run, Scenario } from "../scenario.ts";

interface Options extends Readonly<Record<string, number>> {
  /** Of each kind, and as many again at 16 at once. */
  readonly calls: number;
}

const atOnce = 16;
const batchSize = 1_000;

/** What the service adds to the one write that an allocation is, and where it goes. */
export const scenario: Scenario<Options> = {
  name: "overhead",
  summary: "one allocation over HTTP beside the bare write it makes, and where the rest goes",
  defaults: { small: { calls: 100 }, full: { calls: 1_000 } },
  run: async (run) => {
    run.progress("starting the service");
    const service = new Apart("service");
    try {
      return await measureOn((await service.next()) as Endpoints, run);
    } finally {
      await service.close();
    }
  },
};

const measureOn = async (
  endpoints: Endpoints,
  { options: { calls }, progress }: Run<Options>,
): Promise<Outcome> => {
  becomeFunction(endpoints);
  const client = new ServiceClient(endpoints);
  const { promocodeId } = await client.promocode();
  // Everything is measured in the first half of the pool's life.
  const codes = 2 * (8 * calls + batchSize);
  const rows = Array.from({ length: codes }, (_, index) => codeAt(index));
  await client.upload(promocodeId, `code\n${rows.join("\n")}\n`);
  await client.loadedFiles(promocodeId, 1);

  const ways = await waysTo(endpoints, promocodeId, calls);
  const alone = await timeAll({ ...ways.main, ...ways.parts }, { calls, atOnce: 1 }, (done) =>
    progress("one at a time", done),
  );
  const together = await timeAll(ways.main, { calls, atOnce }, (done) => progress(`${atOnce} at once`, done));
  const customers = Array.from({ length: batchSize }, () => ({ customerId: randomUUID() }));
  progress(`a batch of ${batchSize}`);
  const begun = performance.now();
  const batch = await client.call<{ summary?: { pool: number } }>(
    "POST",
    `/v1/promocodes/${promocodeId}/allocations/batch`,
    { allocations: customers },
  );
  const batchSeconds = (performance.now() - begun) / 1_000;
  if (batch.body.summary?.pool !== batchSize)
    throw new Error(`The batch answered ${batch.status}: ${JSON.stringify(batch.body).slice(0, 500)}`);
  return outcomeOf(alone, together, batchSeconds);
};

/** What is called: the main ways one at a time and together, the parts of the handler one at a time. */
const waysTo = async (endpoints: Endpoints, promocodeId: string, calls: number) => {
  const { promocodeWithPromotion } = await import("../../shared/storage/promocodes.ts");
  const { poolOf } = await import("../../shared/allocation/pools.ts");
  const { allocate } = await import("../../shared/pool/placement.ts");
  const { apiHandler } = await import("../../shared/http/api-handler.ts");
  const { created } = await import("../../shared/http/answer.ts");

  // Twice as many as each of two ways writes at each concurrency, with its first turns.
  const bare = await bareWrites(endpoints.dynamodb, 6 * calls);
  const handler = await builtHandler("allocate-code");
  const { promocode } = await promocodeWithPromotion(promocodeId);
  const pool = await poolOf(promocode as PersonalizedPromocode);
  const answer = {
    promocodeId,
    promotionId: promocode.promotionId,
    fileId: "fil_01KA5S2H4N6P8R0T2V4X6Z8A0C",
    uniqueCode: "SAVE-7Q2X-11",
    timestamp: promocode.createdAt,
    ...{ occurenceId: null, seriesId: null, actionId: null },
    source: "pool" as const,
    repeated: false,
  };
  const frame = apiHandler(routes.allocateCode, ({ body }) =>
    created({ customerId: body.customerId, ...answer }),
  );

  const post = poster(endpoints.apiUrl, {
    "Content-Type": "application/json",
    "X-API-KEY": endpoints.apiKey,
  });
  const path = `/v1/promocodes/${promocodeId}/allocations`;
  const overHttp = async () => {
    const { status, text } = await post(path, JSON.stringify({ customerId: randomUUID() }));
    if (status !== 201) throw new Error(`The service answered ${status}: ${text}`);
  };
  return {
    main: {
      overHttp,
      inProcess: () => allocateBy(handler, promocodeId, randomUUID()),
      sdk: bare.sdk,
      byHand: bare.byHand,
    },
    parts: {
      frame: () => allocateBy(frame, promocodeId, randomUUID()),
      settings: () => promocodeWithPromotion(promocodeId),
      append: () =>
        allocate(pool, {
          holder: { customerId: randomUUID(), trigger: null },
          stamp: { at: Date.now(), contextId: "" },
        }),
    },
  };
};

type Main = "overHttp" | "inProcess" | "sdk" | "byHand";
type Part = "frame" | "settings" | "append";

const words: Readonly<Record<Main, string>> = {
  overHttp: "an allocation over HTTP",
  inProcess: "its handler alone, in process",
  sdk: "the bare write, by the SDK",
  byHand: "the bare write, by hand",
};

const rounded = (value: number): number => Number(value.toFixed(2));

const outcomeOf = (
  alone: Readonly<Record<Main | Part, Timed>>,
  together: Readonly<Record<Main, Timed>>,
  batchSeconds: number,
): Outcome => {
  const mains = Object.keys(words) as Main[];
  const row = (way: Main, at: number, { p50, p99, perSecond, cpuMs }: Timed) => [
    words[way],
    at,
    rounded(p50),
    rounded(p99),
    Math.round(perSecond),
    // Over HTTP the work is done elsewhere.
    way === "overHttp" ? null : rounded(cpuMs),
  ];
  const { overHttp, inProcess, sdk, byHand, frame, settings, append } = alone;
  const part = (what: string, ms: number, cpuMs: number | null) => [
    what,
    rounded(ms),
    `${Math.round((100 * ms) / overHttp.p50)} %`,
    cpuMs === null ? null : rounded(cpuMs),
  ];
  const partLess = (what: string, whole: Timed, ...less: readonly Timed[]) => {
    const rest = (amountOf: (each: Timed) => number) =>
      less.reduce((left, each) => left - amountOf(each), amountOf(whole));
    return part(
      what,
      rest(({ p50 }) => p50),
      rest(({ cpuMs }) => cpuMs),
    );
  };
  return {
    figures: [
      timed("HTTP allocation to bare write, one at a time", overHttp.p50 / sdk.p50, "times as long", medians),
      timed(
        "bare writes to HTTP allocations, 16 at once",
        together.sdk.perSecond / together.overHttp.perSecond,
        "times as many",
      ),
      timed("an allocation over HTTP, one at a time", overHttp.p50, "ms", medians),
      timed("processor time of the handler", inProcess.cpuMs, "ms", engineAside),
      timed("processor time of the bare write by the SDK", sdk.cpuMs, "ms", engineAside),
      timed("processor time of the bare write by hand", byHand.cpuMs, "ms", engineAside),
      { ...timed(`a batch of ${batchSize} over HTTP`, batchSeconds, "s"), target: { atMost: 29 } },
    ],
    tables: [
      {
        title: "An allocation beside the write it makes",
        columns: ["what", "at once", "p50 ms", "p99 ms", "per second", "own CPU ms"],
        rows: mains.flatMap((way) => [row(way, 1, alone[way]), row(way, atOnce, together[way])]),
      },
      {
        title: "Where an allocation's time goes, one at a time",
        columns: ["part", "p50 ms", "of it", "own CPU ms"],
        rows: [
          partLess("the write itself: request by hand, and the engine", byHand),
          partLess("the SDK around it, as it comes", sdk, byHand),
          // Less than nothing where the SDK is used better than it comes.
          partLess("placing: homes, condition, reading the cell that came back", append, sdk),
          partLess("reading promocode and promotion, strongly consistent", settings),
          partLess("parsing, checking, answering, log line and metric", frame),
          partLess("of the handler, not accounted for", inProcess, append, settings, frame),
          part(
            "gateway, authorizer (asked once a minute), thread and event",
            overHttp.p50 - inProcess.p50,
            null,
          ),
        ],
      },
    ],
  };
};

const medians = "Medians, in turns, on one machine that runs engine, service and caller.";
const engineAside = "The calling process alone, not the engine.";

const timed = (name: string, value: number, unit: string, note?: string): Figure => ({
  name,
  value,
  unit,
  kind: "timed",
  ...(note !== undefined && { note }),
});
