import { ulid } from "ulid";
import { audienceColumns } from "../../shared/contract/audiences.ts";
import {
  AudienceRefused,
  jobFailed,
  noCodesGivenOut,
  promocodeGone,
  sharedByEveryone,
} from "../../shared/domain/audience-refused.ts";
import { Failure } from "../../shared/domain/failure.ts";
import { FileRefused } from "../../shared/domain/file-refused.ts";
import type { PersonalizedPromocode } from "../../shared/domain/promocode.ts";
import { assertActive } from "../../shared/domain/promotion.ts";
import { audienceResultKey } from "../../shared/files/audience-objects.ts";
import {
  abandonResult,
  beginResult,
  completeResult,
  ResultLost,
  resultPartBytes,
  writePart,
} from "../../shared/files/audience-result.ts";
import { csvLines } from "../../shared/files/csv-writer.ts";
import { Rejects } from "../../shared/files/rejects.ts";
import { logger } from "../../shared/http/logger.ts";
import { parseSalt } from "../../shared/pool/hash.ts";
import { newPool, refresh } from "../../shared/pool/pool.ts";
import type { JobReport } from "../../shared/queues/job-log.ts";
import { assertTriesAreLeft, type Delivery } from "../../shared/queues/queue-handler.ts";
import { sendMessage } from "../../shared/queues/send-message.ts";
import {
  type AudienceCheckpoint,
  type AudienceCounts,
  type AudienceFailure,
  audiences,
  type StoredAudience,
} from "../../shared/storage/audiences.ts";
import { bulkPoolStore } from "../../shared/storage/bulk-pool-store.ts";
import { promocodeWithPromotion } from "../../shared/storage/promocodes.ts";
import { assertOwn, Progress, Superseded } from "./audience-run.ts";
import type { CustomerList } from "./customer-list.ts";
import { type Job, jobOf, type Placed, placeCustomers, refuseCustomers } from "./place-customers.ts";
import { preview } from "./preview.ts";
import { type AudienceFile, readAudience } from "./read-audience.ts";

/** Time kept for the requests under way and the message that goes on, in milliseconds. */
const timeForLeavingMs = 60_000;
/** Customers who are placed together: few enough for the memory of their cells, enough for 64 requests in flight. */
const customersAtOnce = 8_192;
export interface AllocateAudienceOptions extends Delivery {
  /** Bytes of result that make a part. @default 8 MiB */
  readonly partBytes?: number;
  /** @default 8,192 */
  readonly customersAtOnce?: number;
}

/** What became of a message. */
export type AudienceOutcome = "done" | "refused" | "nothing to do" | "queued again" | "superseded";
export type AudienceReport = JobReport & { readonly outcome: AudienceOutcome };

/**
 * Gives every customer of an audience a code and leaves the result behind. Done again, at the same time or by a run
 * that was given up for dead, it does no harm: everybody gets the same code, and one result counts.
 *
 * ```
 *   read, sort ──> part 1 ──> checkpoint ──> part 2 ──> checkpoint ──> … ──> result complete
 *      ^                          │
 *      └── time over, or crash ───┘   what was placed after the checkpoint is placed again: the same codes
 * ```
 */
export const allocateAudience = async (
  audienceId: string,
  options: AllocateAudienceOptions,
): Promise<AudienceReport> => {
  const audience = await audiences.begin(audienceId, new Date());
  if (!audience) return { outcome: "nothing to do" };
  const { promocodeId, mode, attempt } = audience;
  return { promocodeId, mode, attempt, ...(await workOn(audience, options)) };
};

const workOn = async (
  audience: StoredAudience,
  options: AllocateAudienceOptions,
): Promise<AudienceReport> => {
  const rejects = new Rejects(audience.audienceId);
  try {
    assertTriesAreLeft(options);
    return await workOrRefuse({ audience, rejects, progress: new Progress(audience), options });
  } catch (error) {
    await rejects.abort();
    if (error instanceof Superseded) return { outcome: "superseded" };
    if (options.isLast) await fail(audience, jobFailed());
    throw error;
  }
};

interface Run {
  /** As it was when this run began it, with the checkpoint of the run before. */
  readonly audience: StoredAudience;
  readonly rejects: Rejects;
  readonly progress: Progress;
  readonly options: AllocateAudienceOptions;
}

const workOrRefuse = async (run: Run): Promise<AudienceReport> => {
  try {
    return await work(run);
  } catch (error) {
    if (!(error instanceof AudienceRefused || error instanceof FileRefused)) throw error;
    return await refuse(run.audience, error as AudienceFailure, run.rejects);
  }
};

const work = async (run: Run): Promise<AudienceReport> => {
  const { audience, rejects, progress } = run;
  const { promocode, stopped } = await readPromocode(audience.promocodeId);
  // Without a checkpoint nobody has got a code yet.
  const isAllocation = audience.mode === "allocate";
  if (isAllocation && stopped && !audience.checkpoint) throw noCodesGivenOut(stopped.message);

  const salt = parseSalt(promocode.salt);
  const file = await readAudience(audience, { salt, rejects, progress });
  await rejects.finish();
  const { rows } = file;
  assertOwn(await audiences.report(audience, { rows, problems: rejects.problems }));

  const pool = newPool({
    store: bulkPoolStore(promocode.promocodeId),
    salt,
    base: promocode.base,
  });
  await refresh(pool);
  const method = audience.checkpoint?.allocationMethod ?? promocode.uniqueCodes.allocationMethod;
  const job = await jobOf(audience, pool, method);
  return isAllocation ? allocateAll(run, job, file) : previewAll(run, job, file);
};

const previewAll = async (
  { audience, progress }: Run,
  job: Job,
  { customers, rows }: AudienceFile,
): Promise<AudienceReport> => {
  const found = await preview(audience.promocodeId, job, customers, (looked) => progress.report({ looked }));
  assertOwn(await audiences.complete(audience, { rows, preview: found }, new Date()));
  const { held, free, missing } = found;
  return { outcome: "done", customers: found.customers, held, free, missing };
};

const allocateAll = async (
  run: Run,
  job: Job,
  { customers, rows }: AudienceFile,
): Promise<AudienceReport> => {
  const { audience, options } = run;
  const { audienceId } = audience;
  const begun = await startingPoint(audience, job, customers);
  let checkpoint = begun;
  try {
    while (checkpoint.position < customers.count) {
      const next = await allocatePart(run, job, customers, checkpoint);
      if (next === "time is over") {
        if (checkpoint === begun) throw new Error("the time was over before the first part was complete");
        return await queueAgain(audienceId, "time is over", checkpoint.position);
      }
      checkpoint = next;
      assertOwn(await audiences.leave(audience, checkpoint, { counts: checkpoint.counts }));
      if (checkpoint.position < customers.count && options.timeLeftMs() <= timeForLeavingMs)
        return await queueAgain(audienceId, "time is over", checkpoint.position);
    }
    await completeResult(checkpoint, checkpoint.parts, checkpoint.bytes);
  } catch (error) {
    if (!(error instanceof ResultLost)) throw error;
    // A run that was given up for dead has written a part over ours. Everybody gets their code again.
    logger.warn("The result of an audience is begun anew", { audienceId, why: error.message });
    assertOwn(await audiences.leave(audience, await newCheckpoint(audienceId, checkpoint), {}));
    await abandonResult(checkpoint);
    return queueAgain(audienceId, "its result was lost", 0);
  }
  const { objectKey, bytes, counts, stopped } = checkpoint;
  const result = { objectKey, bytes, rows: customers.count };
  assertOwn(await audiences.complete(audience, { rows, counts, result, failure: stopped }, new Date()));
  return { outcome: "done", customers: customers.count, ...counts, failure: stopped?.code };
};

const queueAgain = async (audienceId: string, why: string, position: number): Promise<AudienceReport> => {
  await sendMessage("audiences", { audienceId });
  return { outcome: "queued again", why, position };
};

/** Where the run before left off; else a new result, noted before the first code is handed out. */
const startingPoint = async (
  audience: StoredAudience,
  { method }: Job,
  customers: CustomerList,
): Promise<AudienceCheckpoint> => {
  const fingerprint = customers.fingerprint();
  const left = audience.checkpoint;
  if (left?.fingerprint === fingerprint) return left;
  const begun = await newCheckpoint(audience.audienceId, { allocationMethod: method, fingerprint });
  assertOwn(await audiences.leave(audience, begun, { counts: begun.counts }));
  return begun;
};

const newCheckpoint = async (
  audienceId: string,
  { allocationMethod, fingerprint }: Pick<AudienceCheckpoint, "allocationMethod" | "fingerprint">,
): Promise<AudienceCheckpoint> => ({
  allocationMethod,
  fingerprint,
  position: 0,
  counts: { pool: 0, repeated: 0, default: 0, refused: 0 },
  ...(await beginResult(audienceResultKey(audienceId, ulid()))),
  parts: [],
  bytes: 0,
  stopped: null,
});

/** Places customers until their rows make a part, and writes it. The checkpoint behind it is the caller's to leave. */
const allocatePart = async (
  { audience, progress, options }: Run,
  job: Job,
  customers: CustomerList,
  from: AudienceCheckpoint,
): Promise<AudienceCheckpoint | "time is over"> => {
  // Read again for every part, as a single call reads them: settings change, and promotions end.
  const now = await readPromocode(audience.promocodeId);
  const stopped = from.stopped ?? now.stopped;
  await refresh(job.pool);

  const { partBytes = resultPartBytes, customersAtOnce: atOnce = customersAtOnce } = options;
  const lines = from.position === 0 ? [Buffer.from(csvLines([audienceColumns]))] : [];
  let bytes = lines.reduce((sum, { length }) => sum + length, 0);
  let { position, counts } = from;
  let mostHeldOne = false;
  while (position < customers.count && bytes < partBytes) {
    if (options.timeLeftMs() <= timeForLeavingMs) return "time is over";
    const to = Math.min(position + atOnce, customers.count);
    const ids = Array.from({ length: to - position }, (_, at) => customers.customer(position + at));
    const placed: Placed = stopped
      ? await refuseCustomers(now.promocode, job, ids)
      : await placeCustomers(now.promocode, job, ids, { readsFirst: mostHeldOne });
    mostHeldOne = placed.counts.repeated > ids.length / 2;
    counts = sumOf(counts, placed.counts);
    const some = Buffer.from(csvLines(placed.rows));
    lines.push(some);
    bytes += some.length;
    position = to;
    await progress.report({ counts });
  }
  const tag = await writePart(from, from.parts.length + 1, lines);
  return { ...from, position, counts, stopped, parts: [...from.parts, tag], bytes: from.bytes + bytes };
};

const sumOf = (one: AudienceCounts, other: AudienceCounts): AudienceCounts => ({
  pool: one.pool + other.pool,
  repeated: one.repeated + other.repeated,
  default: one.default + other.default,
  refused: one.refused + other.refused,
});

/** The promocode, and why its promotion gives out no codes, in a single call's words; null while it does. */
const readPromocode = async (
  promocodeId: string,
): Promise<{ readonly promocode: PersonalizedPromocode; readonly stopped: AudienceFailure | null }> => {
  const { promocode, promotion } = await promocodeWithPromotion(promocodeId).catch((error: unknown) => {
    throw error instanceof Failure && error.code === "promocode-not-found"
      ? promocodeGone(promocodeId)
      : error;
  });
  if (promocode.type !== "personalized") throw sharedByEveryone(promocodeId);
  try {
    assertActive(promotion);
    return { promocode, stopped: null };
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    return { promocode, stopped: { code: "promotion-not-active", message: error.message } };
  }
};

const refuse = async (
  audience: StoredAudience,
  refusal: AudienceFailure,
  rejects: Rejects,
): Promise<AudienceReport> => {
  await rejects.finish();
  const rows = { read: rejects.count, customers: 0, repeatedInFile: 0, rejected: rejects.count };
  const isOwn = await fail(audience, refusal, { rows, problems: rejects.problems });
  if (!isOwn) return { outcome: "superseded" };
  return { outcome: "refused", failure: refusal.code, rejected: rejects.count };
};

const fail = (
  audience: StoredAudience,
  { code, message }: AudienceFailure,
  progress: Parameters<typeof audiences.fail>[2] = {},
): Promise<boolean> => audiences.fail(audience, { code, message }, progress, new Date());
