import { sendMessage } from "../../shared/queues/send-message.ts";
import { erasures, type StoredErasure } from "../../shared/storage/erasures.ts";

/**
 * Stores the erasure and queues it. The record comes first, so a message always finds it; the message tells its id
 * alone, not the person's, for messages are kept and moved by people.
 */
export const requestErasure = async (customerId: string, ulid: string, now: Date): Promise<StoredErasure> => {
  const erasureId = `era_${ulid}`;
  const erasure = await erasures.create({ erasureId, customerId, now });
  try {
    await sendMessage("erasures", { erasureId });
  } catch (error) {
    // Whoever asked is told that it failed and asks again: this record would only keep the person's id.
    await erasures.discard(erasureId);
    throw error;
  }
  return erasure;
};
