import type { PoolCounts } from "../../shared/contract/promocodes.ts";
import { Failure } from "../../shared/domain/failure.ts";
import { newsOfPool, type PoolLevel } from "../../shared/domain/pool-level.ts";
import type { PersonalizedPromocode } from "../../shared/domain/promocode.ts";
import {
  defaultCodesGiven,
  poolDry,
  poolLow,
  type ServiceEvent,
} from "../../shared/domain/service-events.ts";
import { publishEvents } from "../../shared/events/publish-events.ts";
import { loggable, logger } from "../../shared/http/logger.ts";
import { countsOf } from "../../shared/storage/counts.ts";
import { generationsOf } from "../../shared/storage/generations.ts";
import { generationsNow, sumOf } from "../../shared/storage/pool-counts.ts";
import {
  changePoolLevel,
  markDelivered,
  poolLevelOf,
  type StoredPoolLevel,
  type Undelivered,
} from "../../shared/storage/pool-levels.ts";
import { promocodes } from "../../shared/storage/promocodes.ts";

const mostTries = 20;
/** A stream shard that has not delivered its events for so long may be closed: whoever sees them delivers them. */
const takeOverMs = 15 * 60_000;
/** For so long a batch comes again because the bus takes nothing. Counting must not wait for ever. */
const patienceMs = 10 * 60_000;

export interface LevelTeller {
  /** Of the batch that is worked on: it comes again if this fails, and then finds what it left behind. */
  readonly streamShardId: string;
  readonly now: Date;
}

/**
 * Tells on the bus what the pool has come to, each thing once: low, dry, default codes given. Answers the pool's
 * counts; undefined for what is no pool. Throws while the bus does not take an event, so that the batch comes again.
 *
 * The event is written down with the level, in one conditional write, and taken off when the bus has it:
 *
 * ```
 *   level as told ──> counts ──> news? ──> level + event, if nobody changed it ──> bus ──> event off
 *                                                   │                               │
 *                                 lost the race: look again          crash, or no answer: the batch comes
 *                                                                    again, finds the event, sends it again
 * ```
 */
export const tellLevel = async (
  promocodeId: string,
  teller: LevelTeller,
): Promise<PoolCounts | undefined> => {
  for (let tries = 1; ; tries += 1) {
    // Before the counts: a level that somebody changes while these are read is newer than they are.
    const level = await poolLevelOf(promocodeId);
    const promocode = await findPool(promocodeId);
    if (!promocode) return undefined;
    const [generations, counts] = await Promise.all([generationsOf(promocodeId), countsOf(promocodeId)]);
    const pool = sumOf(generations, counts, teller.now);

    const found = newsOfPool(level, {
      uniqueCodes: promocode.uniqueCodes,
      generations: generationsNow(generations, counts),
      defaultsGiven: counts.defaultsGiven,
    });
    const told =
      found?.news.map((news, at) => eventOf(news, promocode, pool, level.version + 1 + at, teller)) ?? [];
    if (found) {
      const version = level.version + Math.max(1, told.length);
      if (!(await changePoolLevel(promocodeId, level, { ...found.told, version, events: told }))) {
        if (tries === mostTries) throw new Error(`the level of pool ${promocodeId} kept changing`);
        continue;
      }
    }
    await deliver(promocodeId, [...left(level, teller), ...told], teller);
    return pool;
  }
};

const findPool = async (promocodeId: string): Promise<PersonalizedPromocode | undefined> => {
  try {
    const promocode = await promocodes.get(promocodeId);
    return promocode.type === "personalized" ? promocode : undefined;
  } catch (error) {
    if (error instanceof Failure && error.code === "promocode-not-found") return undefined;
    throw error;
  }
};

const eventOf = (
  level: PoolLevel,
  { promocodeId, promotionId, uniqueCodes }: PersonalizedPromocode,
  { available, total, defaultsGiven }: PoolCounts,
  crossing: number,
  { streamShardId, now }: LevelTeller,
): Undelivered => {
  const common = { occurredAt: now.toISOString(), promocodeId, promotionId };
  const low = (by: "count" | "percent", threshold: number | undefined) =>
    poolLow({ ...common, by, threshold: threshold ?? 0, available, total }, crossing);
  const make: Readonly<Record<PoolLevel, () => ServiceEvent>> = {
    "low-by-count": () => low("count", uniqueCodes.lowPoolThreshold),
    "low-by-percent": () => low("percent", uniqueCodes.lowPoolPercent),
    dry: () => poolDry({ ...common, total, onExhausted: uniqueCodes.onExhausted }, crossing),
    defaults: () => defaultCodesGiven({ ...common, defaultsGiven }, crossing),
  };
  return { event: make[level](), by: streamShardId, since: now };
};

/** What an earlier run decided and did not deliver, if it is this shard's, or nobody's any more. */
const left = (
  { undelivered }: StoredPoolLevel,
  { streamShardId, now }: LevelTeller,
): readonly Undelivered[] =>
  undelivered.filter(({ by, since }) => by === streamShardId || now.getTime() - since.getTime() > takeOverMs);

const deliver = async (
  promocodeId: string,
  undelivered: readonly Undelivered[],
  { now }: LevelTeller,
): Promise<void> => {
  if (undelivered.length === 0) return;
  const ids = undelivered.map(({ event }) => event.detail.eventId);
  try {
    await publishEvents(undelivered.map(({ event }) => event));
    await markDelivered(promocodeId, ids);
  } catch (error) {
    logger.error("Events of a pool are not delivered yet", { promocodeId, ids, error: loggable(error) });
    const isFresh = undelivered.some(({ since }) => now.getTime() - since.getTime() < patienceMs);
    if (isFresh) throw error;
  }
};
