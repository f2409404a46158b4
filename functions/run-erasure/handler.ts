import * as z from "zod";
import { environment } from "../../shared/environment.ts";
import { queueHandler } from "../../shared/queues/queue-handler.ts";
import { runErasure } from "./run-erasure.ts";

const message = z.object({ erasureId: z.string() });

/** Erases the persons whose erasures are queued. A message that comes again does nothing to one that succeeded. */
export const handler = queueHandler("run-erasure", message, async ({ erasureId }, delivery, track) => {
  const callsEndWithinMs = Number(environment("callsEndWithinSeconds")) * 1000;
  await track({ erasureId }, () => runErasure(erasureId, { ...delivery, callsEndWithinMs }));
});
