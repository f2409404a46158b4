import { queueHandler } from "../../shared/queues/queue-handler.ts";
import { allocateAudience } from "./allocate-audience.ts";
import { messageSchema } from "./messages.ts";
import { receiveObject } from "./receive-object.ts";

/** Allocates to the audiences that arrive in the uploads bucket. Events that repeat or arrive out of order do no harm. */
export const handler = queueHandler("allocate-audience", messageSchema, async (message, delivery, track) => {
  if ("Event" in message) return;
  if ("audienceId" in message) {
    const { audienceId } = message;
    await track({ audienceId }, () => allocateAudience(audienceId, delivery));
    return;
  }
  for (const record of message.Records) {
    const audience = await receiveObject(record);
    if (!audience) continue;
    const { audienceId } = audience;
    await track({ audienceId }, () => allocateAudience(audienceId, delivery));
  }
});
