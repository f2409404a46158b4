import * as z from "zod";
import { withdraw } from "../../shared/pool/withdrawal.ts";
import type { JobReport } from "../../shared/queues/job-log.ts";
import { type Delivery, queueHandler } from "../../shared/queues/queue-handler.ts";
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
export const handler = queueHandler("seal-code-file", message, (file, delivery, track) =>
  track(file, () => seal(file, delivery)),
);

const seal = async (
  file: z.output<typeof message>,
  { timeLeftMs }: Pick<Delivery, "timeLeftMs">,
): Promise<JobReport> => {
  const found = await codeFiles.find(file);
  if (found?.status !== "withdrawing") return { outcome: "nothing to do" };

  const generations = await generationsOf(file.promocodeId);
  const generation = generations.find(({ fileId }) => fileId === file.fileId);
  const isSealed =
    generation === undefined ||
    (await withdraw(dynamoPoolStore(file.promocodeId), generation, () => timeLeftMs() > timeForQueueingMs));

  if (!isSealed) {
    await sendMessage("withdrawals", file);
    return { outcome: "queued again", why: "time is over" };
  }
  await codeFiles.markWithdrawn(file);
  return { outcome: "withdrawn" };
};
