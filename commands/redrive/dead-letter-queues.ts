import { setTimeout as sleep } from "node:timers/promises";
import {
  ChangeMessageVisibilityBatchCommand,
  GetQueueAttributesCommand,
  ListMessageMoveTasksCommand,
  ListQueuesCommand,
  type Message,
  ReceiveMessageCommand,
  type SQSClient,
  StartMessageMoveTaskCommand,
} from "@aws-sdk/client-sqs";
import { kindOfQueue } from "./dead-letter-kinds.ts";

/** A queue of dead letters, and whether SQS can send them back by itself. */
export interface DeadLetterQueue {
  readonly name: string;
  readonly url: string;
  readonly arn: string;
  readonly hasSource: boolean;
  /** About how many letters it has, those that somebody reads just now too. */
  readonly waiting: number;
}

/** The service's queues of dead letters: those that another queue gives up to, and those that are named so. */
export const deadLetterQueues = async (
  sqs: SQSClient,
  prefix: string,
): Promise<readonly DeadLetterQueue[]> => {
  const urls: string[] = [];
  let token: string | undefined;
  do {
    const page = await sqs.send(
      new ListQueuesCommand({ QueueNamePrefix: prefix, MaxResults: 1_000, NextToken: token }),
    );
    urls.push(...(page.QueueUrls ?? []));
    token = page.NextToken;
  } while (token !== undefined);

  const queues = await Promise.all(urls.map((url) => attributesOf(sqs, url)));
  const targets = new Set(queues.flatMap(({ deadLetterArn }) => deadLetterArn ?? []));
  return queues
    .filter(({ arn, name }) => targets.has(arn) || (name.includes("DeadLetters") && !targetsOf(queues, arn)))
    .map(({ name, url, arn, waiting }) => ({ name, url, arn, waiting, hasSource: targets.has(arn) }));
};

/** Whether the queue itself gives up to another one, as no queue of dead letters does. */
const targetsOf = (
  queues: readonly { arn: string; deadLetterArn: string | undefined }[],
  arn: string,
): boolean => queues.some((queue) => queue.arn === arn && queue.deadLetterArn !== undefined);

const attributesOf = async (sqs: SQSClient, url: string) => {
  const { Attributes = {} } = await sqs.send(
    new GetQueueAttributesCommand({ QueueUrl: url, AttributeNames: ["All"] }),
  );
  const policy: { deadLetterTargetArn?: string } = JSON.parse(Attributes.RedrivePolicy ?? "{}");
  return {
    url,
    name: url.split("/").at(-1) ?? "",
    arn: Attributes.QueueArn ?? "",
    deadLetterArn: policy.deadLetterTargetArn,
    waiting:
      Number(Attributes.ApproximateNumberOfMessages ?? 0) +
      Number(Attributes.ApproximateNumberOfMessagesNotVisible ?? 0),
  };
};

/** Letters that are read for a list; of more only the number is told. */
const mostListed = 100;
const hiddenSeconds = 60;

/** Reads letters without taking them: they are visible again when this is back. */
export const readDeadLetters = async (
  sqs: SQSClient,
  { url }: DeadLetterQueue,
): Promise<readonly Message[]> => {
  const letters = new Map<string, Message>();
  try {
    for (let isMore = true; isMore && letters.size < mostListed; ) {
      const { Messages = [] } = await sqs.send(
        new ReceiveMessageCommand({
          QueueUrl: url,
          MaxNumberOfMessages: 10,
          VisibilityTimeout: hiddenSeconds,
          // Waiting asks all of SQS's servers, not some of them.
          WaitTimeSeconds: 1,
          MessageSystemAttributeNames: ["SentTimestamp"],
        }),
      );
      for (const message of Messages) letters.set(message.MessageId ?? "", message);
      isMore = Messages.length > 0;
    }
    return [...letters.values()];
  } finally {
    const all = [...letters.values()];
    for (let start = 0; start < all.length; start += 10)
      await sqs.send(
        new ChangeMessageVisibilityBatchCommand({
          QueueUrl: url,
          Entries: all.slice(start, start + 10).map(({ ReceiptHandle }, at) => ({
            Id: String(at),
            ReceiptHandle,
            VisibilityTimeout: 0,
          })),
        }),
      );
  }
};

const askAgainMs = 500;

/** What became of a queue's letters. */
export interface Redriven {
  readonly moved: number;
  /** SQS's own word: `COMPLETED`, or why not. */
  readonly status: string;
}

/** Lets SQS move all letters back to the queue that gave them up; waits for the end. One that is under way is joined. */
export const sendBack = async (
  sqs: SQSClient,
  { arn }: DeadLetterQueue,
  onMoved: (moved: number) => void,
): Promise<Redriven> => {
  try {
    await sqs.send(new StartMessageMoveTaskCommand({ SourceArn: arn }));
  } catch (error) {
    // "There is already a task running. Only one active task is allowed for a source queue arn at a given time."
    if (!(error instanceof Error && /already a task running/i.test(error.message))) throw error;
  }
  for (;;) {
    const { Results = [] } = await sqs.send(
      new ListMessageMoveTasksCommand({ SourceArn: arn, MaxResults: 1 }),
    );
    const { Status = "UNKNOWN", ApproximateNumberOfMessagesMoved = 0, FailureReason } = Results[0] ?? {};
    onMoved(ApproximateNumberOfMessagesMoved);
    if (Status !== "RUNNING" && Status !== "CANCELLING")
      return {
        moved: ApproximateNumberOfMessagesMoved,
        status: FailureReason ? `${Status}: ${FailureReason}` : Status,
      };
    await sleep(askAgainMs);
  }
};

export const kindNameOf = ({ name }: DeadLetterQueue, prefix: string): string =>
  kindOfQueue(name, prefix)?.name ?? name;
