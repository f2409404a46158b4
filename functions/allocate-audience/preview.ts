import { findHeld } from "../../shared/pool/held.ts";
import type { StoredAudience } from "../../shared/storage/audiences.ts";
import { poolCounts } from "../../shared/storage/pool-counts.ts";
import type { CustomerList } from "./customer-list.ts";
import { type Job, newcomersOf } from "./place-customers.ts";

const lookedAtOnce = 4_096;

const inWords = (count: number): string => count.toLocaleString("en-US");

/** What a preview says for people: "needs 118,204 codes, 7,911 already hold one, 92,000 free: short by 18,293". */
export const previewOf = (
  customers: number,
  held: number,
  free: number,
): NonNullable<StoredAudience["preview"]> => {
  const missing = Math.max(0, customers - held - free);
  const verdict = missing > 0 ? `short by ${inWords(missing)}` : "enough";
  const sentence = `needs ${inWords(customers)} codes, ${inWords(held)} already hold one, ${inWords(free)} free: ${verdict}`;
  return { customers, held, free, missing, sentence };
};

/**
 * Compares the audience with the pool and writes nothing to it. `free` comes from the pool's counts, which are a
 * second or two late; who holds a code is read from the cells. `onLooked` is told how many were looked up so far.
 */
export const preview = async (
  promocodeId: string,
  job: Omit<Job, "context">,
  customers: CustomerList,
  onLooked: (looked: number) => Promise<void> | undefined,
): Promise<NonNullable<StoredAudience["preview"]>> => {
  let held = 0;
  for (let from = 0; from < customers.count; from += lookedAtOnce) {
    const to = Math.min(from + lookedAtOnce, customers.count);
    const ids = Array.from({ length: to - from }, (_, at) => customers.customer(from + at));
    const holders = newcomersOf(job, ids).map(({ holder }) => holder);
    held += (await findHeld(job.pool, holders)).filter((placement) => placement !== undefined).length;
    await onLooked(to);
  }
  const { available } = await poolCounts(promocodeId);
  return previewOf(customers.count, held, available);
};
