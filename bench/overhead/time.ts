import { percentiles } from "../lib/percentiles.ts";

/** What calls of one kind took. */
export interface Timed {
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
  readonly perSecond: number;
  /** Processor time of this process for a call, in milliseconds; what the engine or the service takes is not in it. */
  readonly cpuMs: number;
}

export type Way = () => Promise<unknown>;

/** A machine that is busy with something else for a moment is so for all ways alike. */
const rounds = 10;

/** Calls each way so often, in short turns one after the other, `atOnce` at once; the first turn is not counted. */
export const timeAll = async <Name extends string>(
  ways: Readonly<Record<Name, Way>>,
  { calls, atOnce }: { readonly calls: number; readonly atOnce: number },
  onRound: (done: number) => void,
): Promise<Record<Name, Timed>> => {
  const entries = Object.entries<Way>(ways) as [Name, Way][];
  const size = Math.ceil(calls / rounds);
  const turns = new Map<Name, Turn[]>(entries.map(([name]) => [name, []]));
  for (let round = 0; round <= rounds; round += 1) {
    // Forwards and back: what a way leaves behind, counting on the stream for one, is not always the same one's burden.
    for (const [name, way] of round % 2 === 0 ? entries : entries.toReversed()) {
      const turn = await take(way, size, atOnce);
      if (round > 0) turns.get(name)?.push(turn);
    }
    onRound(round / rounds);
  }
  return Object.fromEntries(entries.map(([name]) => [name, sumOf(turns.get(name) ?? [])])) as Record<
    Name,
    Timed
  >;
};

interface Turn {
  readonly ms: readonly number[];
  readonly seconds: number;
  readonly cpuMs: number;
}

const take = async (way: Way, calls: number, atOnce: number): Promise<Turn> => {
  const ms: number[] = [];
  let begunCalls = 0;
  const caller = async () => {
    while (begunCalls < calls) {
      begunCalls += 1;
      const begun = performance.now();
      await way();
      ms.push(performance.now() - begun);
    }
  };
  const cpu = process.cpuUsage();
  const begun = performance.now();
  await Promise.all(Array.from({ length: atOnce }, caller));
  const seconds = (performance.now() - begun) / 1_000;
  const { user, system } = process.cpuUsage(cpu);
  return { ms, seconds, cpuMs: (user + system) / 1_000 };
};

const sumOf = (turns: readonly Turn[]): Timed => {
  const ms = turns.flatMap((turn) => turn.ms);
  const sum = (amountOf: (turn: Turn) => number) => turns.reduce((total, turn) => total + amountOf(turn), 0);
  return {
    ...percentiles(ms),
    perSecond: ms.length / sum(({ seconds }) => seconds),
    cpuMs: sum(({ cpuMs }) => cpuMs) / ms.length,
  };
};
