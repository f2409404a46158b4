import { exportObjectKey, writeExportFile } from "../../shared/files/export-file.ts";
import { type FinishedFile, reportExportProgress, type StoredExport } from "../../shared/storage/exports.ts";
import { exportLines } from "./export-lines.ts";

/** Time kept for giving up the upload and saying so, in milliseconds. */
const timeForGivingUpMs = 30_000;
const reportEveryMs = 1_000;

/** The function's time is over before the export is complete; another run would take as long. */
export class OutOfTime extends Error {
  override readonly name = "OutOfTime";
}

/** Writes the export's file, telling about once a second how far it is. Throws `OutOfTime` when it takes too long. */
export const buildExport = async (begun: StoredExport, timeLeftMs: () => number): Promise<FinishedFile> => {
  let rows = 0;
  let reportedAt = Date.now();
  const lines = async function* () {
    for await (const piece of exportLines(begun)) {
      if (timeLeftMs() < timeForGivingUpMs) throw new OutOfTime(`out of time after ${rows} rows`);
      rows += piece.rows;
      if (Date.now() - reportedAt >= reportEveryMs) {
        await reportExportProgress(begun, rows);
        reportedAt = Date.now();
      }
      if (piece.lines.length > 0) yield piece.lines;
    }
  };
  const objectKey = exportObjectKey(begun.exportId, begun.attempt);
  const file = await writeExportFile(objectKey, lines());
  return { ...file, objectKey, rows };
};
