import type { Track } from "../../shared/queues/job-log.ts";
import { type Delivery, queueHandler } from "../../shared/queues/queue-handler.ts";
import { thenTell } from "../../shared/queues/then-tell.ts";
import { loadCodeFile } from "./load-code-file.ts";
import { type LoadAgain, messageSchema } from "./messages.ts";
import { receiveObject } from "./receive-object.ts";
import { tellOutcome } from "./tell-outcome.ts";

/** Loads the code files that arrive in the uploads bucket. Events that repeat or arrive out of order do no harm. */
export const handler = queueHandler("load-code-file", messageSchema, async (message, delivery, track) => {
  if ("Event" in message) return;
  if ("fileId" in message) {
    await loadAndTell(message, delivery, track);
    return;
  }
  for (const record of message.Records) {
    const file = await receiveObject(record);
    if (!file) continue;
    const { promocodeId, fileId } = file;
    await loadAndTell({ promocodeId, fileId, waits: 0 }, delivery, track);
  }
});

const loadAndTell = (file: LoadAgain, delivery: Delivery, track: Track): Promise<void> => {
  const { promocodeId, fileId } = file;
  return thenTell(
    track({ promocodeId, fileId }, () => loadCodeFile(file, delivery)),
    () => tellOutcome(file, new Date()),
  );
};
