import { SQSClient } from "@aws-sdk/client-sqs";
import { textTable } from "../../bench/report/text-table.ts";
import { type ProgressLine, progressLine } from "../../bench/run/progress-line.ts";
import { auditedCommand } from "../audited-command.ts";
import { UsageError } from "../keys/arguments.ts";
import { deployedRegion, type Place } from "../keys/place.ts";
import type { RedriveCommand } from "./arguments.ts";
import { kindOfQueue } from "./dead-letter-kinds.ts";
import {
  type DeadLetterQueue,
  deadLetterQueues,
  kindNameOf,
  type Redriven,
  readDeadLetters,
  sendBack,
} from "./dead-letter-queues.ts";
import type { DescribedLetter } from "./describe-letter.ts";

interface Output {
  readonly print: (text: string) => void;
  readonly line: ProgressLine;
  readonly now?: () => Date;
}

interface ListedLetter extends DescribedLetter {
  readonly ageMs: number;
}

interface ListedQueue {
  readonly queue: string;
  /** About so many; only the first 100 are described. */
  readonly waiting: number;
  readonly letters: readonly ListedLetter[];
  readonly sentBack?: Redriven;
}

/** Does what the command line asks for; true unless SQS could not send everything back. */
export const runRedrive = async (
  { queue: wanted, queuePrefix, yes, json }: RedriveCommand,
  place: Place,
  { print, line, now = () => new Date() }: Output = { print: console.log, line: progressLine() },
): Promise<boolean> => {
  const prefix = queuePrefix ?? place.queuePrefix;
  if (prefix === undefined)
    throw new UsageError(
      `${place.name} does not tell where its queues are: stop it and run "npm start" again.`,
    );
  const sqs = new SQSClient({});
  if (!json)
    print(
      `${yes ? "Sends back" : "Lists"} the dead letters of ${wanted ?? "all queues"} on ${place.name}.${yes ? "" : " Changes nothing; --yes sends them back."}`,
    );
  const queues = (await deadLetterQueues(sqs, prefix)).filter(
    (queue) => wanted === undefined || kindNameOf(queue, prefix) === wanted,
  );
  const listed: ListedQueue[] = [];
  for (const queue of queues) {
    const name = kindNameOf(queue, prefix);
    line.show(`${name}: reading`);
    const letters = await list(sqs, queue, now());
    const sentBack =
      yes && letters.length > 0 && queue.hasSource
        ? await onRecord(place, name, letters.length, () =>
            sendBack(sqs, queue, (moved) => line.show(`${name}: ${moved} sent back`)),
          )
        : undefined;
    listed.push({
      queue: name,
      waiting: Math.max(queue.waiting, letters.length),
      letters,
      ...(sentBack && { sentBack }),
    });
    line.clear();
    if (!json) print(`\n${textOf(listed.at(-1)!, queue, prefix)}`);
  }
  sqs.destroy();
  if (json) print(JSON.stringify(listed, null, 2));
  else if (queues.length === 0) print("\nThere are no queues of dead letters here.");
  return listed.every(({ sentBack }) => sentBack === undefined || sentBack.status === "COMPLETED");
};

/** The audit trail says so before anything is sent back. */
const onRecord = async (place: Place, queue: string, letters: number, work: () => Promise<Redriven>) => {
  const { operatorOf } = await import("../operator.ts");
  const operator = await operatorOf(deployedRegion(place));
  return auditedCommand(
    { action: "dead-letters.redrive", operator, fields: { queue, letters }, now: new Date() },
    work,
  );
};

const list = async (sqs: SQSClient, queue: DeadLetterQueue, now: Date): Promise<readonly ListedLetter[]> => {
  const { describeLetter } = await import("./describe-letter.ts");
  const letters: ListedLetter[] = [];
  for (const { Body = "", Attributes } of await readDeadLetters(sqs, queue))
    letters.push({
      ...(await describeLetter(Body, now)),
      ageMs: Math.max(0, now.getTime() - Number(Attributes?.SentTimestamp ?? now.getTime())),
    });
  return letters.sort((one, other) => other.ageMs - one.ageMs);
};

const textOf = (
  { queue, waiting, letters, sentBack }: ListedQueue,
  source: DeadLetterQueue,
  prefix: string,
) => {
  if (letters.length === 0) return `${queue}: none`;
  const rows = letters.map(({ about, state, ageMs }) => [ageOf(ageMs), about, state]);
  const table = textTable(
    ["  AGE", "ABOUT", "NOW"],
    rows.map(([age = "", ...rest]) => [`  ${age}`, ...rest]),
  );
  const lines = [`${queue}: ${waiting}`, ...table];
  if (waiting > letters.length) lines.push(`  and about ${waiting - letters.length} more`);
  if (sentBack) lines.push(`  ${sentBack.moved} sent back (${sentBack.status})`);
  const instead = kindOfQueue(source.name, prefix)?.insteadOfRedrive;
  if (!source.hasSource)
    lines.push(`  ${instead ?? "They came from no queue, so there is none to send them back to."}`);
  return lines.join("\n");
};

const ageOf = (milliseconds: number): string => {
  const minutes = Math.floor(milliseconds / 60_000);
  if (minutes < 60) return `${minutes} min`;
  return minutes < 48 * 60 ? `${Math.floor(minutes / 60)} h` : `${Math.floor(minutes / 1_440)} d`;
};
