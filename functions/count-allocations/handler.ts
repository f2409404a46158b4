import * as z from "zod";
import type { PoolCounts } from "../../shared/contract/promocodes.ts";
import { logger } from "../../shared/http/logger.ts";
import { publishMetrics } from "../../shared/operations/publish-metrics.ts";
import { addToCount, type CountedChange } from "../../shared/storage/counts.ts";
import { generationsOf } from "../../shared/storage/generations.ts";
import { LeastRecentlyUsed } from "../../shared/storage/least-recently-used.ts";
import { type Change, changeOf, refittedPromocode, streamRecordSchema } from "./changes.ts";
import { tellLevel } from "./tell-level.ts";

/**
 * A batch of the table's stream in a tumbling window: only with one does Lambda say which shard the batch is of
 * (docs.aws.amazon.com/lambda/latest/dg/services-ddb-windows.html). Without the shard a replay could not be told
 * from news, so a batch without one is refused.
 */
const eventSchema = z.object({
  shardId: z.string().min(1),
  Records: z.array(streamRecordSchema).default([]),
});

/** With a tumbling window an answer without `state` counts as a failure. */
const done = { state: {}, batchItemFailures: [] } as const;

/** Changes of one count, in the order of the stream. */
interface Group {
  readonly promocodeId: string;
  readonly fileId: string | null;
  readonly changes: CountedChange[];
}

const atOnce = 16;

/**
 * Keeps the counts of pools and files, from the table's stream, and tells on the bus when a pool is low or dry. A
 * failed batch is delivered again as a whole: what was counted of it is not counted twice, and what was not told yet
 * is told then.
 */
export const handler = async (event: unknown): Promise<typeof done> => {
  const { shardId, Records } = eventSchema.parse(event);
  const changes = Records.map(changeOf).filter((change) => change !== undefined);

  const groups = await groupByCount(changes);

  const now = new Date();
  const grown = { CodesAllocated: 0, DefaultsGiven: 0 };
  await forEach(groups, async (group) => {
    const growth = await addToCount({ ...group, streamShardId: shardId }, now);
    grown[group.fileId === null ? "DefaultsGiven" : "CodesAllocated"] += growth;
  });
  if (grown.CodesAllocated + grown.DefaultsGiven > 0) publishMetrics(grown, { dimensions: {} });

  const counted = new Set(changes.map(({ promocodeId }) => promocodeId));
  const refitted = Records.map(refittedPromocode).filter((promocodeId) => promocodeId !== undefined);
  await forEach([...new Set([...counted, ...refitted])], async (promocodeId) => {
    const pool = await tellLevel(promocodeId, { streamShardId: shardId, now });
    if (pool && counted.has(promocodeId)) publishLevel(promocodeId, pool);
  });
  return done;
};

/** Each of them, whatever becomes of the others; then throws the first error, so that the batch comes again. */
const forEach = async <Each>(all: readonly Each[], work: (each: Each) => Promise<void>): Promise<void> => {
  const waiting = [...all];
  const errors: unknown[] = [];
  const take = async () => {
    for (let each = waiting.pop(); each !== undefined; each = waiting.pop())
      await work(each).catch((error: unknown) => errors.push(error));
  };
  await Promise.all(Array.from({ length: atOnce }, take));
  if (errors.length > 0) throw errors[0];
};

const publishLevel = (promocodeId: string, { available, total }: PoolCounts): void =>
  publishMetrics(
    { PoolAvailable: available, PoolAvailablePercent: total === 0 ? 0 : (100 * available) / total },
    { dimensions: {}, metadata: { promocodeId } },
  );

const groupByCount = async (changes: readonly Change[]): Promise<Group[]> => {
  const groups = new Map<string, Group>();
  for (const { promocodeId, generation, sequenceNumber, delta } of changes) {
    const name = `${promocodeId}#${generation}`;
    let group = groups.get(name);
    if (!group) {
      const fileId = generation === null ? null : await fileOf(promocodeId, generation);
      if (fileId === undefined) {
        // Codes are handed out of published generations alone, so this cannot happen; it must not stop the stream.
        logger.error("A cell of an unknown generation changed: not counted", { promocodeId, generation });
        continue;
      }
      group = { promocodeId, fileId, changes: [] };
      groups.set(name, group);
    }
    group.changes.push({ sequenceNumber, delta });
  }
  return [...groups.values()];
};

/** The files of a promocode's generations: a generation never changes its file, so what is known stays true. */
const filesByPromocode = new LeastRecentlyUsed<string, ReadonlyMap<number, string>>(1_000);

const fileOf = async (promocodeId: string, generation: number): Promise<string | undefined> => {
  const known = filesByPromocode.get(promocodeId)?.get(generation);
  if (known !== undefined) return known;
  const generations = await generationsOf(promocodeId);
  const files = new Map(generations.map(({ number, fileId }) => [number, fileId]));
  filesByPromocode.set(promocodeId, files);
  return files.get(generation);
};
