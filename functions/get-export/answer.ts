import type { Export } from "../../shared/contract/exports.ts";
import { presignedDownload } from "../../shared/files/export-file.ts";
import type { StoredExport } from "../../shared/storage/exports.ts";

/** The export as its caller sees it; a finished one with a URL that was made now. */
export const answerOf = async (stored: StoredExport, now: Date): Promise<Export> => {
  const { exportId, level, status, rows, bytes, sha256, objectKey, failureMessage, createdAt, completedAt } =
    stored;
  const isFinished = status === "succeeded" && objectKey !== null;
  return {
    exportId,
    level,
    status,
    rows,
    bytes,
    sha256,
    ...(isFinished && (await presignedDownload(objectKey, fileNameOf(stored), now))),
    ...(failureMessage !== null && { failure: { code: "export-failed", message: failureMessage } }),
    createdAt,
    ...(completedAt !== null && { completedAt }),
  };
};

/** Says what the file is, to whoever finds it in a folder of downloads: `<promocode or file>-allocations-<day>.csv`. */
const fileNameOf = ({ promocodeId, fileId, createdAt }: StoredExport): string =>
  `${fileId ?? promocodeId}-allocations-${createdAt.slice(0, 10)}.csv`;
