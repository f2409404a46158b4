import type { PlaceArguments } from "../keys/arguments.ts";
import { secondsIn } from "../service/duration.ts";
import {
  parseOptions,
  placeIn,
  promocodeIn,
  serviceHelp,
  serviceOptions,
} from "../service/service-options.ts";

export interface RecountCommand {
  readonly place: PlaceArguments;
  readonly json: boolean;
  /** Undefined: all of them. */
  readonly promocodeId: string | undefined;
  readonly quietSeconds: number;
  /** Whether anything is changed. */
  readonly yes: boolean;
}

export const help = `npm run recount [-- --promocode <id>] [--yes] [options]

Counts what is given out of each file, and the default codes, by reading all of it,
and compares that with the stored counts, which GET /v1/promocodes/{promocodeId} tells.
Where they differ it looks again after a while: only a count that nothing moved in
between is wrong, any other one may just be late. Shows what it would change.

Ends with 0 when all counts agree, or were put right; with 1 when some do not.

  --promocode <id>               this promocode alone
  --yes                          puts wrong counts right; without it nothing is changed
  --quiet 60s                    how long nothing must have happened to a count; longer
                                 than the counter is behind (metric IteratorAge)

${serviceHelp}
`;

/** Reads the command line; "help" when that is what it asks for. Throws `UsageError`. */
export const parseRecountArguments = (given: readonly string[]): RecountCommand | "help" => {
  const values = parseOptions(given, {
    promocode: { type: "string" },
    yes: { type: "boolean", default: false },
    quiet: { type: "string", default: "60s" },
    ...serviceOptions,
  });
  if (values.help) return "help";
  return {
    place: placeIn(values),
    json: values.json,
    promocodeId: promocodeIn(values.promocode),
    quietSeconds: secondsIn("quiet", values.quiet),
    yes: values.yes,
  };
};
