import { backupLifeDays, type Erasure, filesLifeDays } from "../contract/erasures.ts";
import type { StoredErasure } from "./erasures.ts";

const msPerDay = 86_400_000;

const daysAfter = (time: string, days: number): string =>
  new Date(Date.parse(time) + days * msPerDay).toISOString();

/** The erasure as its caller sees it: not whose it is. */
export const erasureAnswer = (stored: StoredErasure): Erasure => {
  const { erasureId, status, round, promocodes, codes, intents, defaultCodes } = stored;
  const { nextRoundAt, createdAt, completedAt, failureMessage } = stored;
  return {
    erasureId,
    status,
    progress: { round, promocodes },
    erased: { codes, intents, defaultCodes },
    ...(nextRoundAt !== null && { nextRoundAt }),
    createdAt,
    ...(completedAt !== null && {
      completedAt,
      filesUntil: daysAfter(completedAt, filesLifeDays),
      backupsUntil: daysAfter(completedAt, backupLifeDays),
    }),
    ...(failureMessage !== null && { failure: { code: "erasure-failed", message: failureMessage } }),
  };
};
