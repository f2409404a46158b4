import { type ParseArgsConfig, parseArgs } from "node:util";
import { type PlaceArguments, UsageError } from "../keys/arguments.ts";

/** Says which service a command is about, and lets it answer for scripts. */
export const serviceOptions = {
  directory: { type: "string" },
  stage: { type: "string" },
  table: { type: "string" },
  region: { type: "string" },
  json: { type: "boolean", default: false },
  help: { type: "boolean", short: "h", default: false },
} as const;

export const serviceHelp = `Where:
  (nothing)                      the service that "npm start" runs on this machine
  --directory <path>             one that was started with the same option
  --stage <dev or prod>          a stage deployed from here, found by cdk-outputs.json
  --table <name> --region <region>
                                 any deployed service, by its stack's outputs

  --json                         answers JSON, for scripts`;

/** The command line by these options, nothing beside them. Throws `UsageError`. */
export const parseOptions = <Options extends NonNullable<ParseArgsConfig["options"]>>(
  given: readonly string[],
  options: Options,
) => {
  try {
    return parseArgs({ args: [...given], options, allowPositionals: false }).values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
};

export const placeIn = ({ directory, stage, table, region }: PlaceArguments): PlaceArguments => ({
  directory,
  stage,
  table,
  region,
});

/** A promocode's id, if one is named. */
export const promocodeIn = (promocodeId: string | undefined): string | undefined => {
  if (promocodeId !== undefined && !/^[A-Za-z0-9_-]{1,64}$/.test(promocodeId))
    throw new UsageError(
      `"${promocodeId}" is no promocode's id: 1 to 64 letters, digits, "_" and "-". GET /v1/promocodes lists them.`,
    );
  return promocodeId;
};
