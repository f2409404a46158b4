import * as z from "zod";
import type { JobReport } from "../../shared/queues/job-log.ts";
import { assertTriesAreLeft, type Delivery, queueHandler } from "../../shared/queues/queue-handler.ts";
import { thenTell } from "../../shared/queues/then-tell.ts";
import { beginExport, completeExport, failExport } from "../../shared/storage/exports.ts";
import { buildExport, OutOfTime } from "./build-export.ts";
import { tellOutcome } from "./tell-outcome.ts";

const tooLarge =
  "The export did not fit into the 15 minutes that one run has. Ask for it in parts: file by file, or period by period with from and to.";
const keptFailing =
  "The export could not be written, several times over. Ask for a new one; if that fails too, tell the operator of the service this exportId.";

const message = z.object({ exportId: z.string() });

/** Builds the exports that are queued. A message that comes again does nothing to an export that succeeded. */
export const handler = queueHandler("build-export", message, ({ exportId }, delivery, track) =>
  thenTell(
    track({ exportId }, () => buildQueued(exportId, delivery)),
    () => tellOutcome(exportId),
  ),
);

const buildQueued = async (exportId: string, delivery: Delivery): Promise<JobReport> => {
  const begun = await beginExport(exportId);
  if (!begun) return { outcome: "nothing to do" };
  const { promocodeId, fileId } = begun;
  try {
    assertTriesAreLeft(delivery);
    const file = await buildExport(begun, delivery.timeLeftMs);
    await completeExport(begun, file, new Date());
    return { outcome: "succeeded", promocodeId, fileId, rows: file.rows, bytes: file.bytes };
  } catch (error) {
    if (error instanceof OutOfTime) {
      await failExport(begun, tooLarge, new Date());
      return { outcome: "refused", promocodeId, fileId, why: "too large for one run" };
    }
    if (delivery.isLast) await failExport(begun, keptFailing, new Date());
    throw error;
  }
};
