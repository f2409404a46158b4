import { queueHandler } from "../../shared/queues/queue-handler.ts";
import { loadCodeFile } from "./load-code-file.ts";
import { messageSchema } from "./messages.ts";
import { receiveObject } from "./receive-object.ts";

/** Loads the code files that arrive in the uploads bucket. Events that repeat or arrive out of order do no harm. */
export const handler = queueHandler(messageSchema, async (message, delivery) => {
  if ("Event" in message) return;
  if ("fileId" in message) {
    await loadCodeFile(message, delivery);
    return;
  }
  for (const record of message.Records) {
    const file = await receiveObject(record);
    if (file) await loadCodeFile({ promocodeId: file.promocodeId, fileId: file.fileId, waits: 0 }, delivery);
  }
});
