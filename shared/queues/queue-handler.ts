import type { Context, SQSBatchResponse } from "aws-lambda";
import * as z from "zod";
import { type JobName, jobLog, type Track } from "./job-log.ts";
import { mostTries } from "./most-receives.ts";

const eventSchema = z.object({
  Records: z.array(
    z.object({
      messageId: z.string(),
      body: z.string(),
      attributes: z.object({ ApproximateReceiveCount: z.coerce.number() }),
    }),
  ),
});

/** What a worker may want to know of the delivery of its message. */
export interface Delivery {
  /** True when the message's work is not tried again: a failure is to be told on its record. */
  readonly isLast: boolean;
  /** True when the last try is over and the message came again: the record may not say yet that it failed. */
  readonly triesAreOver: boolean;
  /** Until the function is ended, in milliseconds. */
  readonly timeLeftMs: () => number;
}

/** For the place behind which failures are told: what Lambda ended on its last try is failed there, and not tried again. */
export const assertTriesAreLeft = ({ triesAreOver }: Pick<Delivery, "triesAreOver">): void => {
  if (triesAreOver) throw new Error("the message was tried as often as it may be");
};

/**
 * A Lambda function that works off a queue, one message after the other. `work` does what it does within `track`,
 * which logs what became of it. What it throws is logged too, and the message is delivered again later, so `work` must
 * do no harm when it is done twice.
 */
export const queueHandler =
  <Message extends z.ZodType>(
    job: JobName,
    messageSchema: Message,
    work: (message: z.output<Message>, delivery: Delivery, track: Track) => Promise<void>,
  ) =>
  async (event: unknown, context: Pick<Context, "getRemainingTimeInMillis">): Promise<SQSBatchResponse> => {
    const batchItemFailures: { itemIdentifier: string }[] = [];
    for (const { messageId, body, attributes } of eventSchema.parse(event).Records) {
      const receives = attributes.ApproximateReceiveCount;
      const delivery = {
        isLast: receives >= mostTries,
        triesAreOver: receives > mostTries,
        timeLeftMs: () => context.getRemainingTimeInMillis(),
      };
      const { track, failed } = jobLog(job, { messageId, receives });
      try {
        await work(messageSchema.parse(jsonOf(body)), delivery, track);
      } catch (error) {
        failed(error);
        batchItemFailures.push({ itemIdentifier: messageId });
      }
    }
    return { batchItemFailures };
  };

const jsonOf = (body: string): unknown => {
  try {
    return JSON.parse(body);
  } catch {
    // The parser's own message quotes the body, and this one is logged.
    throw new Error("The message is not JSON.");
  }
};
