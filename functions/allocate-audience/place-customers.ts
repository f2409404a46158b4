import { namedTrigger } from "../../shared/allocation/trigger.ts";
import type { AllocationMethod } from "../../shared/contract/promocodes.ts";
import type { AllocationContext } from "../../shared/domain/allocation-context.ts";
import type { PersonalizedPromocode } from "../../shared/domain/promocode.ts";
import { allocateMany } from "../../shared/pool/bulk.ts";
import { findHeld } from "../../shared/pool/held.ts";
import type { Placement } from "../../shared/pool/placement.ts";
import type { Pool } from "../../shared/pool/pool.ts";
import type { NewHolder } from "../../shared/pool/pool-store.ts";
import type { AudienceCounts, StoredAudience } from "../../shared/storage/audiences.ts";
import { contextIdOf, contextsOf } from "../../shared/storage/contexts.ts";
import { type DefaultGiven, recordDefaultGiven } from "../../shared/storage/defaults-given.ts";
import { rowOfCode, rowOfDefault, rowOfRefusal } from "./result-rows.ts";

/** What all allocations of a job have in common. */
export interface Job {
  readonly pool: Pool;
  readonly method: AllocationMethod;
  readonly context: AllocationContext;
  readonly contextId: string;
  /** When the job first began, in milliseconds: its allocations carry this time, so it knows its own. */
  readonly at: number;
  /** What makes a call for a customer known again: the occurrence if it was named, else the audience. */
  readonly trigger: string;
}

export const jobOf = async (audience: StoredAudience, pool: Pool, method: AllocationMethod): Promise<Job> => {
  const { audienceId, promocodeId, occurenceId, seriesId, actionId, startedAt } = audience;
  const context = { occurenceId, seriesId, actionId };
  const trigger = triggerOfAudience(audience);
  if (startedAt === null) throw new Error(`the job of ${audienceId} has not begun`);
  const contextId = await contextIdOf(promocodeId, context);
  return { pool, method, context, contextId, at: Date.parse(startedAt), trigger };
};

/** As for a single call with these identifiers; without an occurrence, as for one whose Idempotency-Key is the audience's id. */
const triggerOfAudience = ({ audienceId, occurenceId, seriesId, actionId }: StoredAudience): string => {
  const named = {
    customerId: "",
    ...(occurenceId !== null && { occurenceId }),
    ...(seriesId !== null && { seriesId }),
    ...(actionId !== null && { actionId }),
  };
  const trigger = namedTrigger(named, undefined) ?? namedTrigger(named, audienceId);
  if (trigger === null) throw new Error("an Idempotency-Key names a trigger");
  return trigger;
};

export const newcomersOf = (
  { method, trigger, at, contextId }: Omit<Job, "pool" | "context">,
  customers: readonly string[],
): readonly NewHolder[] =>
  customers.map((customerId) => ({
    holder: { customerId, trigger: method === "Consistent" ? null : trigger },
    stamp: { at, contextId },
  }));

/** Rows of some customers, in their order, and what became of them. */
export interface Placed {
  readonly rows: readonly (readonly string[])[];
  readonly counts: AudienceCounts;
}

/** Allocates to these customers by the rules of a single call. `readsFirst`: most of them hold a code already. */
export const placeCustomers = async (
  promocode: PersonalizedPromocode,
  job: Job,
  customers: readonly string[],
  { readsFirst }: { readonly readsFirst: boolean },
): Promise<Placed> => {
  const placements = await allocateMany(job.pool, newcomersOf(job, customers), { readsFirst });
  const unplaced = customers.filter((_, at) => placements[at] === undefined);
  const refuses = promocode.uniqueCodes.onExhausted === "refuse";
  const defaults = refuses ? undefined : await giveDefaults(promocode, job, unplaced);
  return placed(promocode, job, customers, placements, defaults);
};

/**
 * For a promotion that gives out no codes any more: only what this job itself has handed out before it was
 * interrupted is told, everybody else is refused.
 */
export const refuseCustomers = async (
  promocode: PersonalizedPromocode,
  job: Job,
  customers: readonly string[],
): Promise<Placed> => {
  const holders = newcomersOf(job, customers).map(({ holder }) => holder);
  const held = await findHeld(job.pool, holders);
  const own = held.map((placement) => (placement && isOwn(job, placement) ? placement : undefined));
  return placed(promocode, job, customers, own, undefined);
};

/** A part that is done again finds what it handed out the first time: these are new, not codes held before. */
const isOwn = ({ at, contextId }: Job, { cell, slot, repeated }: Placement): boolean => {
  const stamp = cell.stamps[slot];
  return !repeated || (stamp?.at === at && stamp.contextId === contextId);
};

const placed = async (
  promocode: PersonalizedPromocode,
  job: Job,
  customers: readonly string[],
  placements: readonly (Placement | undefined)[],
  defaults: ReadonlyMap<string, DefaultGiven> | undefined,
): Promise<Placed> => {
  const contextIdsUsed = new Set([
    ...placements.flatMap((placement) => placement?.cell.stamps[placement.slot]?.contextId ?? []),
    ...[...(defaults?.values() ?? [])].map(({ contextId }) => contextId),
  ]);
  contextIdsUsed.delete(job.contextId);
  const contexts = await contextsOf(promocode.promocodeId, contextIdsUsed);
  const contextOf = (contextId: string) => contexts.get(contextId) ?? job.context;

  const counts = { pool: 0, repeated: 0, default: 0, refused: 0 };
  const rows = customers.map((customerId, at) => {
    const placement = placements[at];
    const given = defaults?.get(customerId);
    if (placement) {
      const source = isOwn(job, placement) ? "pool" : "repeated";
      counts[source] += 1;
      const context = contextOf(placement.cell.stamps[placement.slot]?.contextId ?? "");
      return rowOfCode(promocode, customerId, placement, context, source);
    }
    if (given) {
      counts.default += 1;
      return rowOfDefault(promocode, customerId, given, contextOf(given.contextId));
    }
    counts.refused += 1;
    return rowOfRefusal(promocode, customerId, job.context);
  });
  return { rows, counts };
};

const defaultsAtOnce = 64;

/** The default code for each of them, recorded as for a single call: a part that is done again finds its records. */
const giveDefaults = async (
  { promocodeId, uniqueCodes }: PersonalizedPromocode,
  { trigger, at, contextId }: Job,
  customers: readonly string[],
): Promise<ReadonlyMap<string, DefaultGiven>> => {
  const wanted = { uniqueCode: uniqueCodes.defaultCode, timestamp: new Date(at).toISOString(), contextId };
  const givenTo = new Map<string, DefaultGiven>();
  const rest = customers.values();
  const giveNext = async () => {
    for (const customerId of rest) {
      const { given } = await recordDefaultGiven({ promocodeId, customerId, trigger }, wanted);
      givenTo.set(customerId, given);
    }
  };
  await Promise.all(Array.from({ length: Math.min(defaultsAtOnce, customers.length) }, giveNext));
  return givenTo;
};
