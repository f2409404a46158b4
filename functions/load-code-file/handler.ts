import { queueHandler } from "../../shared/queues/queue-handler.ts";
import { loadCodeFile } from "./load-code-file.ts";
import { messageSchema } from "./messages.ts";
import { receiveObject } from "./receive-object.ts";

/** Loads the code files that arrive in the uploads bucket. Events that repeat or arrive out of order do no harm. */
export const handler = queueHandler("load-code-file", messageSchema, async (message, delivery, track) => {
  if ("Event" in message) return;
  if ("fileId" in message) {
    const { promocodeId, fileId } = message;
    await track({ promocodeId, fileId }, () => loadCodeFile(message, delivery));
    return;
  }
  for (const record of message.Records) {
    const file = await receiveObject(record);
    if (!file) continue;
    const { promocodeId, fileId } = file;
    await track({ promocodeId, fileId }, () => loadCodeFile({ promocodeId, fileId, waits: 0 }, delivery));
  }
});
