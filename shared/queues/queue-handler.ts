import type { Context, SQSBatchResponse } from "aws-lambda";
import * as z from "zod";
import { deadLetter } from "../domain/service-events.ts";
import { publishEvents } from "../events/publish-events.ts";
import { loggable, logger } from "../http/logger.ts";
import { type JobName, jobLog, type Track } from "./job-log.ts";
import { mostReceives, mostTries } from "./most-receives.ts";

const eventSchema = z.object({
  Records: z.array(
    z.object({
      messageId: z.string(),
      body: z.string(),
      attributes: z.object({ ApproximateReceiveCount: z.coerce.number() }),
      eventSourceARN: z.string().optional(),
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
    for (const { messageId, body, attributes, eventSourceARN } of eventSchema.parse(event).Records) {
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
        if (receives >= mostReceives) await tellDeadLetter(eventSourceARN, messageId, receives);
      }
    }
    return { batchItemFailures };
  };

/**
 * The message goes to the dead letters now, and nobody comes again to tell it: what the bus does not take is logged,
 * and the alarm on the dead letters rings all the same.
 */
const tellDeadLetter = async (
  queueArn: string | undefined,
  messageId: string,
  deliveries: number,
): Promise<void> => {
  const queue = queueArn?.split(":").at(-1) ?? "unknown";
  const occurredAt = new Date().toISOString();
  try {
    await publishEvents([deadLetter({ occurredAt, queue, messageId, deliveries })]);
  } catch (error) {
    logger.error("A dead letter is not told", { messageId, error: loggable(error) });
  }
};

const jsonOf = (body: string): unknown => {
  try {
    return JSON.parse(body);
  } catch {
    // The parser's own message quotes the body, and this one is logged.
    throw new Error("The message is not JSON.");
  }
};
