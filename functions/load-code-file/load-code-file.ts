import {
  archivedPromotion,
  FileRefused,
  loadFailed,
  notPersonalized,
} from "../../shared/domain/file-refused.ts";
import type { PersonalizedPromocode } from "../../shared/domain/promocode.ts";
import { Rejects } from "../../shared/files/rejects.ts";
import { parseSalt } from "../../shared/pool/hash.ts";
import { type Cut, cutOf } from "../../shared/pool/loading/cut.ts";
import type { SortedCodes } from "../../shared/pool/loading/sorted-codes.ts";
import type { JobReport } from "../../shared/queues/job-log.ts";
import { assertTriesAreLeft, type Delivery } from "../../shared/queues/queue-handler.ts";
import { sendMessage } from "../../shared/queues/send-message.ts";
import {
  type Checkpoint,
  codeFiles,
  type FileContent,
  type LoadRun,
  type StoredCodeFile,
} from "../../shared/storage/code-files.ts";
import { generationsOf } from "../../shared/storage/generations.ts";
import { acquireLoadLock, type LoadLock, LockLost } from "../../shared/storage/load-locks.ts";
import { promocodes } from "../../shared/storage/promocodes.ts";
import { promotions } from "../../shared/storage/promotions.ts";
import { publishGeneration } from "../../shared/storage/publication.ts";
import { dropHeldCodes } from "./drop-held-codes.ts";
import { assertOwn, Progress } from "./load-run.ts";
import type { LoadAgain } from "./messages.ts";
import { readFile } from "./read-file.ts";
import { writeCellsOf } from "./write-cells-of.ts";

/**
 * Time kept for the requests under way (16 seconds each at most), for those that were never answered to take effect (30), the
 * checkpoint and the message that goes on, in milliseconds.
 */
const timeForLeavingMs = 60_000;
const firstWaitSeconds = 5;
const longestWaitSeconds = 60;

/** What became of a message. */
export type LoadReport = JobReport & {
  readonly outcome: "loaded" | "refused" | "nothing to do" | "queued again";
};

/**
 * Loads a queued file into its promocode's pool: all of it or nothing. Files of one promocode are loaded one after
 * another, so codes that two files share have a fixed owner. Done again, at the same time or by a run that was given
 * up for dead, it does no harm.
 */
export const loadCodeFile = async (
  { promocodeId, fileId, waits }: LoadAgain,
  delivery: Delivery,
): Promise<LoadReport> => {
  if (!mayBeLoaded(await codeFiles.find({ promocodeId, fileId }))) return { outcome: "nothing to do" };

  const lock = await acquireLoadLock(promocodeId, fileId);
  if (!lock) {
    const delaySeconds = Math.min(longestWaitSeconds, firstWaitSeconds * 2 ** Math.min(waits, 10));
    await queueAgain({ promocodeId, fileId, waits: waits + 1 }, delaySeconds);
    return { outcome: "queued again", why: "another file of the promocode is being loaded" };
  }
  const run = { promocodeId, fileId, attempt: lock.fence };
  const report = await loadUnderLock(run, lock, delivery).finally(() => lock.release());
  if (report.outcome === "queued again") await queueAgain({ promocodeId, fileId, waits: 0 }, 0);
  return { attempt: run.attempt, ...report };
};

const mayBeLoaded = (file: StoredCodeFile | undefined): boolean =>
  file !== undefined &&
  (file.status === "queued" ||
    file.status === "loading" ||
    (file.status === "failed" && file.failureCode === "load-failed"));

const queueAgain = (message: LoadAgain, delaySeconds: number): Promise<void> =>
  sendMessage("code-files", { ...message }, { delaySeconds });

const loadUnderLock = async (run: LoadRun, lock: LoadLock, delivery: Delivery): Promise<LoadReport> => {
  const file = await codeFiles.begin(run);
  if (!file) return { outcome: "nothing to do" };

  const rejects = new Rejects(run.fileId);
  const progress = new Progress(run);
  try {
    assertTriesAreLeft(delivery);
    return await loadOrRefuse({ run, file, rejects, progress, lock, delivery });
  } catch (error) {
    await rejects.abort();
    if (error instanceof LockLost) return { outcome: "queued again", why: "it lost its lock" };
    if (delivery.isLast) await codeFiles.fail(run, loadFailed(), undefined);
    throw error;
  }
};

interface Load {
  readonly run: LoadRun;
  /** As it was before this run, with the checkpoint of the run before. */
  readonly file: StoredCodeFile;
  readonly rejects: Rejects;
  readonly progress: Progress;
  readonly lock: LoadLock;
  readonly delivery: Delivery;
}

const loadOrRefuse = async (wanted: Load): Promise<LoadReport> => {
  try {
    return await load(wanted);
  } catch (error) {
    if (!(error instanceof FileRefused)) throw error;
    return await refuse(wanted.run, error, wanted.rejects, wanted.progress.rowsRead);
  }
};

const load = async ({ run, file, rejects, progress, lock, delivery }: Load): Promise<LoadReport> => {
  const { signal } = lock;
  const { salt, lastGeneration } = await promocodeOf(run.promocodeId);

  const read = await readFile(file, { salt: parseSalt(salt), rejects, progress, signal });
  await rejects.finish();
  const generations = await generationsOf(run.promocodeId);
  const duplicatesInPool = await dropHeldCodes(run.promocodeId, read.codes, generations, signal);

  const { codes } = read;
  const content: FileContent = {
    rowsRead: read.rowsRead,
    codes: codes.count,
    duplicatesInFile: read.duplicatesInFile,
    duplicatesInPool,
    rejected: rejects.count,
    header: read.header,
    problems: rejects.problems,
  };
  if (codes.count === 0) return publish({ run, content, generation: null });

  const number = lastGeneration + 1;
  const cut = cutOf(codes, codes.totalLength() / codes.count);
  const begun = checkpointOf(codes, cut, number, run.attempt);
  const start = file.checkpoint && continues(file.checkpoint, begun) ? file.checkpoint : begun;

  let written = 0;
  const shardsWritten = await writeCellsOf(
    { promocodeId: run.promocodeId, number, attempt: start.attempt, codes, cut },
    start.shardsWritten,
    {
      signal,
      goOn: () => delivery.timeLeftMs() > timeForLeavingMs,
      onWritten: (cells) => {
        written += cells;
        const share = start.shardsWritten / cut.shards + written / (cut.shards * cut.cellsPerShard);
        // Who reports too late learns it at publication.
        progress.report({ ...content, codes: Math.floor(codes.count * share) })?.catch(() => {});
      },
    },
  );
  if (shardsWritten < cut.shards) {
    if (shardsWritten === start.shardsWritten)
      throw new Error("the time was over before the first cells were written");
    assertOwn(await codeFiles.leave(run, { ...start, shardsWritten }));
    return { outcome: "queued again", why: "time is over", shardsWritten, shards: cut.shards };
  }
  const { shards, cellsPerShard } = cut;
  return publish({ run, content, generation: { number, attempt: start.attempt, shards, cellsPerShard } });
};

const promocodeOf = async (promocodeId: string): Promise<PersonalizedPromocode> => {
  const promocode = await promocodes.get(promocodeId);
  if (promocode.type !== "personalized") throw notPersonalized(promocodeId);
  const promotion = await promotions.get(promocode.promotionId);
  if (promotion.status === "archived") throw archivedPromotion(promotion.promotionId);
  return promocode;
};

const checkpointOf = (codes: SortedCodes, cut: Cut, generation: number, attempt: number): Checkpoint => ({
  attempt,
  generation,
  shards: cut.shards,
  cellsPerShard: cut.cellsPerShard,
  shardsWritten: 0,
  fingerprint: codes.fingerprint(),
});

/** Cells that an earlier run wrote are of use only if they are, one by one, those that this run would write. */
const continues = (left: Checkpoint, begun: Checkpoint): boolean =>
  left.generation === begun.generation &&
  left.fingerprint === begun.fingerprint &&
  left.shards === begun.shards &&
  left.cellsPerShard === begun.cellsPerShard;

const publish = async (
  publication: Omit<Parameters<typeof publishGeneration>[0], "now">,
): Promise<LoadReport> => {
  assertOwn(await publishGeneration({ ...publication, now: new Date() }));
  const { generation, content } = publication;
  const { rowsRead, codes, duplicatesInFile, duplicatesInPool, rejected } = content;
  return {
    outcome: "loaded",
    generation: generation?.number,
    rowsRead,
    codes,
    duplicatesInFile,
    duplicatesInPool,
    rejected,
  };
};

const refuse = async (
  run: LoadRun,
  refusal: FileRefused,
  rejects: Rejects,
  rowsRead: number,
): Promise<LoadReport> => {
  await rejects.finish();
  const content: FileContent = {
    // Progress is told chunk by chunk; no fewer rows were read than were refused.
    rowsRead: Math.max(rowsRead, rejects.count),
    codes: 0,
    duplicatesInFile: 0,
    duplicatesInPool: 0,
    rejected: rejects.count,
    header: null,
    problems: rejects.problems,
  };
  if (!(await codeFiles.fail(run, refusal, content)))
    return { outcome: "queued again", why: "it lost its lock" };
  return {
    outcome: "refused",
    failure: refusal.code,
    rowsRead: content.rowsRead,
    rejected: content.rejected,
  };
};
