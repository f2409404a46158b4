import type { PlaceArguments } from "../keys/arguments.ts";
import {
  parseOptions,
  placeIn,
  promocodeIn,
  serviceHelp,
  serviceOptions,
} from "../service/service-options.ts";

export interface VerifyCommand {
  readonly place: PlaceArguments;
  readonly json: boolean;
  /** Undefined: all of them. */
  readonly promocodeId: string | undefined;
}

export const help = `npm run verify [-- --promocode <id>] [options]

Walks through the pool of a promocode, or of all, and proves its invariants: every
code given at most once, nobody with two, everybody where a retry finds them, records,
marks and counts in agreement. The pool may be in use. Changes nothing, ever.

Ends with 0 when all is well, with 1 when something was found.

  --promocode <id>               this promocode alone

${serviceHelp}
`;

/** Reads the command line; "help" when that is what it asks for. Throws `UsageError`. */
export const parseVerifyArguments = (given: readonly string[]): VerifyCommand | "help" => {
  const values = parseOptions(given, { promocode: { type: "string" }, ...serviceOptions });
  if (values.help) return "help";
  return { place: placeIn(values), json: values.json, promocodeId: promocodeIn(values.promocode) };
};
