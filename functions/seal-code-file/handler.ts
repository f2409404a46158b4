import * as z from "zod";
import { withdraw } from "../../shared/pool/withdrawal.ts";
import { queueHandler } from "../../shared/queues/queue-handler.ts";
import { sendMessage } from "../../shared/queues/send-message.ts";
import { codeFiles } from "../../shared/storage/code-files.ts";
import { generationsOf } from "../../shared/storage/generations.ts";
import { dynamoPoolStore } from "../../shared/storage/pool-store.ts";

/** Time kept for queueing the rest, in milliseconds: far more than a few hundred cells take. */
const timeForQueueingMs = 30_000;

const message = z.object({ promocodeId: z.string(), fileId: z.string() });

/**
 * Takes the free codes of a file that is being withdrawn out of the pool. Near the end of its time it queues itself
 * again and goes on there; a message that comes again finds nothing to do.
 */
export const handler = queueHandler(message, async (file, { timeLeftMs }) => {
  const found = await codeFiles.find(file);
  if (found?.status !== "withdrawing") return;

  const generations = await generationsOf(file.promocodeId);
  const generation = generations.find(({ fileId }) => fileId === file.fileId);
  const isSealed =
    generation === undefined ||
    (await withdraw(dynamoPoolStore(file.promocodeId), generation, () => timeLeftMs() > timeForQueueingMs));

  if (isSealed) await codeFiles.markWithdrawn(file);
  else await sendMessage("withdrawals", file);
});
