import type { Context, SQSBatchResponse } from "aws-lambda";
import * as z from "zod";
import { loggable, logger } from "../http/logger.ts";
import { mostReceives } from "./most-receives.ts";

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
  /** True when a failure now sends the message to the dead letters. */
  readonly isLast: boolean;
  /** Until the function is ended, in milliseconds. */
  readonly timeLeftMs: () => number;
}

/**
 * A Lambda function that works off a queue, one message after the other. What `work` throws is logged, and the
 * message is delivered again later, so `work` must do no harm when it is done twice.
 */
export const queueHandler =
  <Message extends z.ZodType>(
    messageSchema: Message,
    work: (message: z.output<Message>, delivery: Delivery) => Promise<void>,
  ) =>
  async (event: unknown, context: Pick<Context, "getRemainingTimeInMillis">): Promise<SQSBatchResponse> => {
    const batchItemFailures: { itemIdentifier: string }[] = [];
    for (const { messageId, body, attributes } of eventSchema.parse(event).Records) {
      const receives = attributes.ApproximateReceiveCount;
      try {
        await work(messageSchema.parse(jsonOf(body)), {
          isLast: receives >= mostReceives,
          timeLeftMs: () => context.getRemainingTimeInMillis(),
        });
      } catch (error) {
        const reason = error instanceof Error ? loggable(error) : { message: "not an Error was thrown" };
        logger.error("A message failed", { messageId, receives, error: reason });
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
