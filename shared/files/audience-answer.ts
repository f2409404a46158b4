import type { Audience } from "../contract/audiences.ts";
import type { StoredAudience } from "../storage/audiences.ts";
import { presignedDownload } from "./export-file.ts";
import { problemsOnRecord, rejectsKey } from "./rejects.ts";

/** The audience as the API tells it, with where its result and its rejected rows are, by URLs that were made now. */
export const audienceAnswer = async (audience: StoredAudience, now: Date): Promise<Audience> => {
  const { audienceId, rows, counts, result, preview, failure, startedAt, completedAt } = audience;
  const rejects = listsAllProblems(audience)
    ? await presignedDownload(rejectsKey(audienceId), `rejected-rows-${audienceId}.csv`, now)
    : undefined;
  return {
    audienceId,
    promocodeId: audience.promocodeId,
    fileName: audience.fileName,
    source: audience.source,
    mode: audience.mode,
    occurenceId: audience.occurenceId,
    seriesId: audience.seriesId,
    actionId: audience.actionId,
    status: audience.status,
    progress: progressOf(audience),
    rows,
    summary: counts,
    ...(preview && { preview }),
    problems: audience.problems,
    ...(rejects && { rejectsUrl: rejects.downloadUrl }),
    ...(failure && { failure }),
    ...(result && (await presignedDownload(result.objectKey, fileNameOf(audience), now))),
    createdAt: audience.createdAt,
    ...(startedAt !== null && { startedAt }),
    ...(completedAt !== null && { completedAt }),
  };
};

/** A preview hands nothing out: its customers are through when they were looked up, which is all once it is made. */
const progressOf = ({ rows, counts, looked, mode, status }: StoredAudience): Audience["progress"] => {
  const { pool, repeated, default: defaults, refused } = counts;
  const lookedUp = status === "succeeded" ? rows.customers : looked;
  return {
    done: mode === "preview" ? lookedUp : pool + repeated + defaults + refused,
    total: rows.customers,
  };
};

/** The rejected rows are listed in full once the job is over. */
const listsAllProblems = ({ status, rows }: StoredAudience): boolean =>
  rows.rejected > problemsOnRecord && (status === "succeeded" || status === "failed");

/** Says what the file is, to whoever finds it in a folder of downloads: `<audience>-allocations-<day>.csv`. */
const fileNameOf = ({ audienceId, createdAt }: StoredAudience): string =>
  `${audienceId}-allocations-${createdAt.slice(0, 10)}.csv`;
