import type { PersonalizedPromocode } from "../../shared/domain/promocode.ts";
import { isOver } from "../../shared/pool/erasure.ts";
import type { JobReport } from "../../shared/queues/job-log.ts";
import { assertTriesAreLeft, type Delivery } from "../../shared/queues/queue-handler.ts";
import { sendMessage } from "../../shared/queues/send-message.ts";
import { forgetTraces } from "../../shared/storage/erasure-store.ts";
import { erasures, type OpenErasure, Superseded } from "../../shared/storage/erasures.ts";
import { promocodesAfter } from "../../shared/storage/promocodes-after.ts";
import { eraseFromPromocode } from "./erase-from-promocode.ts";

/** Time kept for the requests under way and the message that goes on, in milliseconds. */
const timeForLeavingMs = 60_000;
/** Promocodes between two notes of how far it is. */
const promocodesPerPage = 100;
const promocodesAtOnce = 10;
/** SQS delays no longer: docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html. */
const longestDelaySeconds = 900;

const keptFailing =
  "The erasure did not end, several times over. Tell the operator of the service this erasureId: it goes on where it was when its message is sent again. Asking for the erasure once more does no harm.";

export interface RunErasureOptions extends Delivery {
  /** After so long every call has ended that was under way. */
  readonly callsEndWithinMs: number;
}

/** What became of a message. */
export type ErasureReport = JobReport & {
  readonly outcome: "succeeded" | "nothing to do" | "queued again" | "waits" | "superseded";
};

/**
 * Erases a person, round by round. Done again, at the same time or by a run that was given up for dead, it does no
 * harm: what is gone is gone.
 *
 * ```
 *   round 1: every promocode ──> calls end ──> round 2 ──found nothing──> succeeded
 *                ^                    ^           │
 *   time over ───┘                    └──found────┘
 * ```
 */
export const runErasure = async (erasureId: string, options: RunErasureOptions): Promise<ErasureReport> => {
  const run = await erasures.begin(erasureId);
  if (!run) return { outcome: "nothing to do" };
  try {
    assertTriesAreLeft(options);
    return { attempt: run.attempt, ...(await work(run, options)) };
  } catch (error) {
    if (error instanceof Superseded) return { outcome: "superseded", attempt: run.attempt };
    if (options.isLast) await erasures.fail(run, keptFailing);
    throw error;
  }
};

const work = async (begun: OpenErasure, options: RunErasureOptions): Promise<ErasureReport> => {
  const { nextRoundAt } = begun;
  const waitsMs = nextRoundAt === null ? 0 : Date.parse(nextRoundAt) - Date.now();
  if (waitsMs > 0) return goOnLater(begun, waitsMs);

  const isBetweenRounds = begun.round === 0 || nextRoundAt !== null;
  const run = isBetweenRounds ? await erasures.beginRound(begun, begun.round + 1) : begun;
  const ended = await playRound(run, options);
  if (ended === "time is over") {
    await sendMessage("erasures", { erasureId: run.erasureId });
    return { outcome: "queued again", why: "time is over", round: run.round };
  }
  if (!isOver(ended)) {
    await erasures.pause(run, new Date(Date.now() + options.callsEndWithinMs));
    return goOnLater(run, options.callsEndWithinMs);
  }
  await forgetTraces(run);
  const { codes, intents, defaultCodes, round } = await erasures.complete(run, new Date());
  return { outcome: "succeeded", round, codes, intents, defaultCodes };
};

const goOnLater = async ({ erasureId, round }: OpenErasure, waitsMs: number): Promise<ErasureReport> => {
  const delaySeconds = Math.min(longestDelaySeconds, Math.ceil(waitsMs / 1000));
  await sendMessage("erasures", { erasureId }, { delaySeconds });
  return { outcome: "waits", round };
};

/** Looks through the promocodes that this round has not looked through yet; answers the record after the last one. */
const playRound = async (
  begun: OpenErasure,
  { timeLeftMs }: RunErasureOptions,
): Promise<OpenErasure | "time is over"> => {
  const hasTime = () => timeLeftMs() > timeForLeavingMs;
  let run = begun;
  for (;;) {
    const page = await promocodesAfter(run.cursor ?? undefined, {
      limit: promocodesPerPage,
      inclusive: false,
    });
    const pools = page.promocodes.filter((promocode) => promocode.type === "personalized");
    if (!(await eraseFromAll(run, pools, hasTime))) return "time is over";
    const last = page.lastId ?? page.promocodes.at(-1)?.promocodeId;
    if (last !== undefined) run = await erasures.pass(run, last, page.promocodes.length);
    // A run that died had noted and erased these, but not counted: by now their promocodes were looked through again.
    if (run.noted) run = await erasures.count(run, [...run.noted]);
    if (page.lastId === undefined) return run;
  }
};

/** False when the time was over before all of them were done. */
const eraseFromAll = async (
  run: OpenErasure,
  pools: readonly PersonalizedPromocode[],
  hasTime: () => boolean,
): Promise<boolean> => {
  const rest = pools.values();
  const failures: unknown[] = [];
  let isDone = true;
  const worker = async () => {
    for (const promocode of rest) {
      if (failures.length > 0 || !isDone) return;
      if (!hasTime() || !(await eraseFromPromocode(run, promocode, hasTime))) isDone = false;
    }
  };
  await Promise.all(
    Array.from({ length: promocodesAtOnce }, () =>
      worker().catch((error: unknown) => void failures.push(error)),
    ),
  );
  if (failures.length > 0) throw failures[0];
  return isDone;
};
