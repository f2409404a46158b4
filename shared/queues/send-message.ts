import { SendMessageCommand, SQSClient } from "@aws-sdk/client-sqs";
import { NodeHttpHandler } from "@smithy/node-http-handler";
import type { QueueName } from "../contract/route.ts";
import { environment } from "../environment.ts";

const sqs = new SQSClient({
  maxAttempts: 5,
  // Without `throwOnRequestTimeout` a request that hangs is only warned about.
  requestHandler: new NodeHttpHandler({
    connectionTimeout: 2_000,
    requestTimeout: 3_000,
    throwOnRequestTimeout: true,
  }),
});

/**
 * Puts a message on one of the service's queues, as JSON. It is delivered at least once, maybe more often, and not
 * before `delaySeconds` (900 at most) are over.
 */
export const sendMessage = async (
  queue: QueueName,
  message: Readonly<Record<string, string | number>>,
  { delaySeconds = 0 }: { readonly delaySeconds?: number } = {},
): Promise<void> => {
  await sqs.send(
    new SendMessageCommand({
      QueueUrl: environment(queue),
      MessageBody: JSON.stringify(message),
      ...(delaySeconds > 0 && { DelaySeconds: delaySeconds }),
    }),
  );
};
