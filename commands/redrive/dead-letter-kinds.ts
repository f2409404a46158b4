/** What ends in a queue of dead letters. */
export interface DeadLetterKind {
  readonly name: string;
  /** The part of the stack that the queue belongs to: its name begins so, behind the stack's. */
  readonly part: string;
  /** Why letters of this kind are not sent back, and what to do instead. */
  readonly insteadOfRedrive?: string;
}

/** One for each queue of dead letters in the stack; a test holds them against it. */
export const deadLetterKinds: readonly DeadLetterKind[] = [
  { name: "code-files", part: "Loading" },
  { name: "audiences", part: "Allocating" },
  { name: "exports", part: "Exporting" },
  { name: "withdrawals", part: "Withdrawing" },
  { name: "erasures", part: "Erasing" },
  {
    name: "counter",
    part: "Counting",
    insteadOfRedrive:
      'They name changes that were not counted, not the changes themselves: "npm run recount" puts the counts right. Then purge the queue.',
  },
  {
    name: "events",
    part: "Events",
    insteadOfRedrive:
      "EventBridge could not deliver them, and takes none back from here: read them in the console, then purge the queue.",
  },
];

/** The kind of a queue by its name, which CloudFormation makes out of stack, construct and a hash. */
export const kindOfQueue = (queueName: string, prefix: string): DeadLetterKind | undefined =>
  deadLetterKinds.find(({ part }) => queueName.slice(prefix.length).startsWith(part));
