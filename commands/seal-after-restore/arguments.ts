import type { PlaceArguments } from "../keys/arguments.ts";
import {
  parseOptions,
  placeIn,
  promocodeIn,
  serviceHelp,
  serviceOptions,
} from "../service/service-options.ts";

export interface SealCommand {
  readonly place: PlaceArguments;
  readonly json: boolean;
  /** Undefined: all of them. */
  readonly promocodeId: string | undefined;
  /** Whether anything is changed. */
  readonly yes: boolean;
}

export const help = `npm run seal-after-restore [-- --promocode <id>] [--yes] [options]

For a table that was restored to an older point, before anybody allocates from it. What
it calls free may have been given out since, and would be given out again: so all of it
is taken out of the pools, for good. Who held a code at that point keeps it. Files that
were not loaded yet are withdrawn too. Load new codes afterwards.

  --promocode <id>               this promocode alone
  --yes                          seals; without it nothing is changed

${serviceHelp}
`;

/** Reads the command line; "help" when that is what it asks for. Throws `UsageError`. */
export const parseSealArguments = (given: readonly string[]): SealCommand | "help" => {
  const values = parseOptions(given, {
    promocode: { type: "string" },
    yes: { type: "boolean", default: false },
    ...serviceOptions,
  });
  if (values.help) return "help";
  return {
    place: placeIn(values),
    json: values.json,
    promocodeId: promocodeIn(values.promocode),
    yes: values.yes,
  };
};
