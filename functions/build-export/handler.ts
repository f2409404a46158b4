import * as z from "zod";
import { logger } from "../../shared/http/logger.ts";
import { assertTriesAreLeft, queueHandler } from "../../shared/queues/queue-handler.ts";
import { beginExport, completeExport, failExport } from "../../shared/storage/exports.ts";
import { buildExport, OutOfTime } from "./build-export.ts";

const tooLarge =
  "The export did not fit into the 15 minutes that one run has. Ask for it in parts: file by file, or period by period with from and to.";
const keptFailing =
  "The export could not be written, several times over. Ask for a new one; if that fails too, tell the operator of the service this exportId.";

const message = z.object({ exportId: z.string() });

/** Builds the exports that are queued. A message that comes again does nothing to an export that succeeded. */
export const handler = queueHandler(message, async ({ exportId }, delivery) => {
  const begun = await beginExport(exportId);
  if (!begun) return;
  try {
    assertTriesAreLeft(delivery);
    const file = await buildExport(begun, delivery.timeLeftMs);
    await completeExport(begun, file, new Date());
  } catch (error) {
    if (error instanceof OutOfTime) {
      logger.warn("An export is too large for one run", { exportId });
      await failExport(begun, tooLarge, new Date());
      return;
    }
    if (delivery.isLast) await failExport(begun, keptFailing, new Date());
    throw error;
  }
});
