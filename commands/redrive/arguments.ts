import { type PlaceArguments, UsageError } from "../keys/arguments.ts";
import { parseOptions, placeIn, serviceHelp, serviceOptions } from "../service/service-options.ts";
import { deadLetterKinds } from "./dead-letter-kinds.ts";

export interface RedriveCommand {
  readonly place: PlaceArguments;
  readonly json: boolean;
  /** The kind of the one queue that is meant; undefined: all. */
  readonly queue: string | undefined;
  /** What the names of the service's queues begin with, when the place does not tell. */
  readonly queuePrefix: string | undefined;
  /** Whether anything is sent back. */
  readonly yes: boolean;
}

const names = deadLetterKinds.map(({ name }) => name);

export const help = `npm run redrive [-- --queue <name>] [--yes] [options]

Lists the dead letters: what each is about, how old it is, and what its record says
now. Sends them back to their queues on request, which does no harm however often:
work that is done already is found done. Mend the cause first, else they come back.

  --queue <name>                 one of ${names.join(", ")}
  --yes                          sends them back; without it nothing is changed
  --queue-prefix <text>          with --table: what the queues' names begin with, which
                                 is the stack's name and a dash

${serviceHelp}
`;

/** Reads the command line; "help" when that is what it asks for. Throws `UsageError`. */
export const parseRedriveArguments = (given: readonly string[]): RedriveCommand | "help" => {
  const values = parseOptions(given, {
    queue: { type: "string" },
    "queue-prefix": { type: "string" },
    yes: { type: "boolean", default: false },
    ...serviceOptions,
  });
  if (values.help) return "help";
  if (values.queue !== undefined && !names.includes(values.queue))
    throw new UsageError(`There is no queue ${values.queue}. Queues: ${names.join(", ")}.`);
  if (values.table !== undefined && values["queue-prefix"] === undefined)
    throw new UsageError("Say which queues are its: --queue-prefix <the stack's name>-.");
  return {
    place: placeIn(values),
    json: values.json,
    queue: values.queue,
    queuePrefix: values["queue-prefix"],
    yes: values.yes,
  };
};
