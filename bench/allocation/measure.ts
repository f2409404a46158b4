import type { Meter } from "../lib/meter.ts";
import { percentiles } from "../lib/percentiles.ts";
import type { Caller } from "./contender.ts";
import { type Call, type TakingTurns, takeTurns } from "./take-turns.ts";

/** What a stretch of calls took. */
export interface Measured {
  readonly calls: readonly Call[];
  /** Calls that ended in a code. */
  readonly allocations: number;
  readonly dry: number;
  readonly writeUnits: number;
  readonly readUnits: number;
  readonly requests: number;
  /** Writes that their condition refused: each is a try that was in vain. */
  readonly refused: number;
  readonly seconds: number;
  /** Milliseconds, of calls that were answered. */
  readonly p50: number;
  readonly p99: number;
}

/** Lets the callers serve these customers, or as many as `enough` says, and adds up what that cost. */
export const measure = async (
  meter: Meter,
  callers: readonly Caller[],
  customers: readonly string[],
  options: TakingTurns = {},
): Promise<Measured> => {
  meter.reset();
  const { calls, seconds } = await takeTurns(callers, customers, options);
  const { writeUnits, readUnits, writeCalls, readCalls, refused } = meter;
  const answered = calls.filter(({ answer }) => answer !== "given up");
  return {
    calls,
    allocations: answered.filter(({ answer }) => answer !== "dry").length,
    dry: answered.filter(({ answer }) => answer === "dry").length,
    writeUnits,
    readUnits,
    requests: writeCalls + readCalls,
    refused,
    seconds,
    ...percentiles(answered.map(({ ms }) => ms)),
  };
};
