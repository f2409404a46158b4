import * as z from "zod";
import { logger } from "../../shared/http/logger.ts";
import { addToCount, type CountedChange } from "../../shared/storage/counts.ts";
import { generationsOf } from "../../shared/storage/generations.ts";
import { LeastRecentlyUsed } from "../../shared/storage/least-recently-used.ts";
import { type Change, changeOf, streamRecordSchema } from "./changes.ts";

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

const updatesAtOnce = 16;

/**
 * Keeps the counts of pools and files, from the table's stream. A failed batch is delivered again as a whole: what
 * was counted of it is not counted twice.
 */
export const handler = async (event: unknown): Promise<typeof done> => {
  const { shardId, Records } = eventSchema.parse(event);
  const changes = Records.map(changeOf).filter((change) => change !== undefined);

  const groups = await groupByCount(changes);

  const now = new Date();
  const count = async () => {
    for (let group = groups.pop(); group !== undefined; group = groups.pop())
      await addToCount({ ...group, streamShardId: shardId }, now);
  };
  await Promise.all(Array.from({ length: updatesAtOnce }, count));
  return done;
};

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
