import type { Track } from "../../shared/queues/job-log.ts";
import { type Delivery, queueHandler } from "../../shared/queues/queue-handler.ts";
import { thenTell } from "../../shared/queues/then-tell.ts";
import { allocateAudience } from "./allocate-audience.ts";
import { messageSchema } from "./messages.ts";
import { receiveObject } from "./receive-object.ts";
import { tellOutcome } from "./tell-outcome.ts";

/** Allocates to the audiences that arrive in the uploads bucket. Events that repeat or arrive out of order do no harm. */
export const handler = queueHandler("allocate-audience", messageSchema, async (message, delivery, track) => {
  if ("Event" in message) return;
  if ("audienceId" in message) {
    await allocateAndTell(message.audienceId, delivery, track);
    return;
  }
  for (const record of message.Records) {
    const audience = await receiveObject(record);
    if (audience) await allocateAndTell(audience.audienceId, delivery, track);
  }
});

const allocateAndTell = (audienceId: string, delivery: Delivery, track: Track): Promise<void> =>
  thenTell(
    track({ audienceId }, () => allocateAudience(audienceId, delivery)),
    () => tellOutcome(audienceId, new Date()),
  );
