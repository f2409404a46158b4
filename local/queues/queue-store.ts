import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { QueueFacts } from "../template/facts.ts";
import { openJournal, readJournal } from "./journal.ts";
import type { Message } from "./message.ts";
import { Queue, type QueueChange } from "./queue.ts";
import { queueDoesNotExist } from "./queue-error.ts";

/** All queues of the stack, over one journal: what was acknowledged survives a crash. */
export interface QueueStore {
  /** The queue of this name; throws `QueueDoesNotExist`. */
  named(name: string): Queue;
  withArn(arn: string): Queue;
  readonly all: readonly Queue[];
  close(): Promise<void>;
}

const compactionBytes = 16 * 1024 * 1024;

/** Opens the queues with what the directory holds of them. Messages of queues that are no longer declared are dropped. */
export async function openQueueStore(directory: string, facts: readonly QueueFacts[]): Promise<QueueStore> {
  mkdirSync(directory, { recursive: true });
  const file = join(directory, "queues.jsonl");
  const messages = replay(readJournal<QueueChange>(file));

  const record = async (change: QueueChange) => {
    await journal.append(change);
    if (journal.bytes > compactionBytes) await journal.compact(changesThatRemain);
  };
  const queues = new Map<string, Queue>();
  for (const each of facts) {
    const deadLetterArn = each.deadLetter?.queueArn;
    const queue = new Queue(each, record, () =>
      all.find((candidate) => candidate.facts.arn === deadLetterArn),
    );
    for (const message of messages.get(each.name)?.values() ?? []) queue.restore(message);
    queues.set(each.name, queue);
  }
  const all = [...queues.values()];
  function* changesThatRemain(): Iterable<QueueChange> {
    for (const queue of all)
      for (const message of queue.messages()) yield { queue: queue.facts.name, put: message };
  }
  const journal = await openJournal<QueueChange>(file, [...changesThatRemain()]);

  const orRefuse = (queue: Queue | undefined, name: string): Queue => {
    if (queue === undefined) throw queueDoesNotExist(name);
    return queue;
  };
  return {
    all,
    named: (name) => orRefuse(queues.get(name), name),
    withArn: (arn) =>
      orRefuse(
        all.find((queue) => queue.facts.arn === arn),
        arn,
      ),
    async close() {
      for (const queue of all) queue.close();
      await journal.close();
    },
  };
}

function replay(changes: readonly QueueChange[]): Map<string, Map<string, Message>> {
  const messages = new Map<string, Map<string, Message>>();
  for (const change of changes) {
    const ofQueue = messages.get(change.queue) ?? new Map<string, Message>();
    messages.set(change.queue, ofQueue);
    if ("put" in change) ofQueue.set(change.put.id, change.put);
    else ofQueue.delete(change.drop);
  }
  return messages;
}
