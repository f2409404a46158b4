import { randomUUID } from "node:crypto";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { QueueStore } from "../queues/queue-store.ts";
import type { S3EventRecordInput } from "../s3/server.ts";
import type { BucketFacts, BucketNotification } from "../template/facts.ts";

/** Tells a bucket's queues of one event; resolves when the messages are safe. */
export type NotifyQueues = (record: S3EventRecordInput) => Promise<void>;

/** Sends what S3 sends: one message per event and matching configuration, `{"Records": [record]}`. */
export function bucketNotifications(bucket: BucketFacts, queues: QueueStore): NotifyQueues | undefined {
  if (bucket.notifications.length === 0) return undefined;
  return async (record) => {
    const fitting = bucket.notifications.filter((each) => fits(each, record));
    const body = JSON.stringify({ Records: [record] });
    await Promise.all(fitting.map((each) => queues.withArn(each.queueArn).send(body)));
  };
}

/** Sends the test message that S3 sends when a queue is first connected to a bucket. */
export async function connectQueues(
  bucket: BucketFacts,
  queues: QueueStore,
  directory: string,
): Promise<void> {
  mkdirSync(directory, { recursive: true });
  for (const { queueArn } of bucket.notifications) {
    const queue = queues.withArn(queueArn);
    const mark = join(directory, `${bucket.name}.${queue.facts.name}.connected`);
    if (existsSync(mark)) continue;
    const test = {
      Service: "Amazon S3",
      Event: "s3:TestEvent",
      Time: new Date().toISOString(),
      Bucket: bucket.name,
      RequestId: randomUUID(),
      HostId: "local",
    };
    await queue.send(JSON.stringify(test));
    writeFileSync(mark, "");
  }
}

function fits({ event, prefix, suffix }: BucketNotification, record: S3EventRecordInput): boolean {
  const wanted = event.replace(/^s3:/, "");
  const kind = wanted.endsWith("*")
    ? record.eventName.startsWith(wanted.slice(0, -1))
    : record.eventName === wanted;
  // Keys are URL-encoded in events, with a plus for a blank; filters speak of the key itself.
  const key = decodeURIComponent(record.s3.object.key.replaceAll("+", " "));
  return kind && key.startsWith(prefix) && key.endsWith(suffix);
}
