import { setTimeout as sleep } from "node:timers/promises";
import { progressLine } from "../bench/run/progress-line.ts";
import type { CodeFile } from "../shared/contract/code-files.ts";
import type { Promocode } from "../shared/contract/promocodes.ts";
import { checksOfPool } from "./checks-of-pool.ts";
import { MemoryWatch } from "./memory-watch.ts";
import { ServiceProcess } from "./service-process.ts";
import { SoakedPool, type Tally } from "./world.ts";

export interface SoakOptions {
  readonly directory: string;
  readonly minutes: number;
  readonly callers: number;
}

/** Something that must hold at the end. */
export interface Check {
  readonly what: string;
  /** Undefined: not judged, and neither counted as holding nor as broken. */
  readonly holds: boolean | undefined;
  /** The figure behind it. */
  readonly found: string;
}

export interface SoakResult {
  readonly minutes: number;
  readonly tally: Tally;
  readonly codes: number;
  readonly checks: readonly Check[];
  readonly memory: MemoryWatch;
}

const codesAtFirst = 10_000;
/** The service is restarted and killed in this part of the time; in the rest its memory is watched. */
const partWithRestarts = 0.5;
const restartsAndKills = 6;
const filesOfEach = 8;
const patienceMs = 300_000;

/** Steady callers, files, exports and restarts for so many minutes; then every code is held against every answer. */
export const soak = async ({ directory, minutes, callers }: SoakOptions): Promise<SoakResult> => {
  const progress = progressLine();
  const tally = newTally();
  const service = new ServiceProcess(directory);
  try {
    progress.show("starting the service");
    await service.start();
    const pools = await poolsOf(service, tally);
    const memory = new MemoryWatch(() => service.memoryMb());

    const lengthMs = minutes * 60_000;
    const begunAt = Date.now();
    const part = () => (Date.now() - begunAt) / lengthMs;
    const isOver = () => part() >= 1;
    const turn = atTurns(isOver);
    const drops = Math.max(2, Math.ceil((filesOfEach * minutes) / 10));
    await Promise.all([
      ...Array.from({ length: callers }, () => takeTurns(service, pools, isOver)),
      ...pools.map((pool) => turn(lengthMs / drops, () => pool.drop(service, codesAtFirst))),
      ...pools.map((pool) => turn(lengthMs / drops, () => pool.export(service))),
      restart(service, tally, { part, everyMs: (lengthMs * partWithRestarts) / (restartsAndKills + 1) }),
      turn(2_000, async () => {
        if (part() > partWithRestarts) memory.sample();
        progress.show(`${tally.allocations.toLocaleString("en")} allocations`, part());
      }),
    ]);

    progress.show("waiting for the last files and counts");
    await Promise.all(pools.map((pool) => settled(service, pool)));
    progress.show("holding every code against every answer");
    const checks: Check[] = [];
    for (const pool of pools) checks.push(...(await checksOfPool(service, pool)));
    const codes = pools.reduce((sum, { dropped }) => sum + dropped.size, 0);
    return { minutes, tally, codes, memory, checks: [...checks, ...checksOfAll(tally, memory)] };
  } finally {
    await service.stop("SIGTERM");
  }
};

const newTally = (): Tally => ({
  count: 0,
  requests: 0,
  allocations: 0,
  repeated: 0,
  defaults: 0,
  files: 0,
  duplicates: 0,
  exports: 0,
  exportedRows: 0,
  restarts: 0,
  kills: 0,
  wrong: [],
});

const poolsOf = async (service: ServiceProcess, tally: Tally): Promise<readonly SoakedPool[]> => {
  const pools: SoakedPool[] = [];
  for (const allocationMethod of ["Consistent", "Varying"] as const) {
    const { promocodeId } = await service.client.promocode({ allocationMethod });
    const pool = new SoakedPool(promocodeId, allocationMethod, tally);
    await pool.drop(service, codesAtFirst);
    await loaded(service, pool);
    pools.push(pool);
  }
  return pools;
};

/** A caller: one customer after the other, every fiftieth time fifty at once. */
const takeTurns = async (
  service: ServiceProcess,
  pools: readonly SoakedPool[],
  isOver: () => boolean,
): Promise<void> => {
  while (!isOver()) {
    for (const pool of pools)
      await (Math.random() < 0.02 ? pool.allocateBatch(service) : pool.allocate(service));
  }
};

/** Does something every so often until the time is over; what takes longer than that puts the next one off. */
const atTurns =
  (isOver: () => boolean) =>
  async (everyMs: number, act: () => Promise<void>): Promise<void> => {
    for (;;) {
      for (let waited = 0; waited < everyMs; waited += 200) {
        if (isOver()) return;
        await sleep(Math.min(200, everyMs));
      }
      await act();
    }
  };

/** Restarted politely and killed, in turns, while everybody goes on asking. */
const restart = async (
  service: ServiceProcess,
  tally: Tally,
  { part, everyMs }: { readonly part: () => number; readonly everyMs: number },
): Promise<void> => {
  for (let turn = 0; turn < restartsAndKills; turn++) {
    await sleep(everyMs);
    if (part() > partWithRestarts && turn >= 2) return;
    const politely = turn % 2 === 0;
    await service.stop(politely ? "SIGTERM" : "SIGKILL");
    if (politely) tally.restarts += 1;
    else tally.kills += 1;
    await service.start();
  }
};

const filesOf = (
  service: ServiceProcess,
  { promocodeId }: SoakedPool,
  isWanted: (files: readonly CodeFile[]) => boolean,
) =>
  service.client.until<{ items: readonly CodeFile[] }>(
    `/v1/promocodes/${promocodeId}/files?limit=200`,
    ({ items }) => isWanted(items),
    patienceMs,
  );

/** Once all that was dropped is in the pool. A put whose answer got lost was put again: its second file brings nothing. */
const loaded = (service: ServiceProcess, pool: SoakedPool) =>
  filesOf(
    service,
    pool,
    (files) =>
      files.every(({ status }) => status === "ready" || status === "failed") &&
      files.reduce((sum, { codes }) => sum + codes, 0) >= pool.dropped.size,
  );

const settled = async (service: ServiceProcess, pool: SoakedPool): Promise<void> => {
  await loaded(service, pool);
  await service.client.until<Promocode>(
    `/v1/promocodes/${pool.promocodeId}`,
    (promocode) => promocode.pool?.allocated === pool.ledger.size,
    patienceMs,
  );
};

const checksOfAll = ({ wrong }: Tally, memory: MemoryWatch): readonly Check[] => {
  const [first, last] = memory.ends;
  const levels = `${Math.round(first)} MB, then ${Math.round(last)} MB`;
  return [
    {
      what: "answers that nobody may get",
      holds: wrong.length === 0,
      found: wrong.length === 0 ? "0" : `${wrong.length}: ${wrong[0]}`,
    },
    {
      what: "memory of the service, without restarts: flat",
      holds: memory.isFlat,
      found: memory.isFlat === undefined ? `too short a time to judge (${levels})` : levels,
    },
  ];
};
