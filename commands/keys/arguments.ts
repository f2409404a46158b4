import { parseArgs } from "node:util";
import { type Scope, scopes } from "../../shared/contract/route.ts";

/** Which service's keys: the one on this machine, or a deployed stage. */
export interface PlaceArguments {
  /** Where a service on this machine keeps its data, if not in `.local`. */
  readonly directory?: string | undefined;
  readonly stage?: string | undefined;
  readonly table?: string | undefined;
  readonly region?: string | undefined;
  readonly usagePlan?: string | undefined;
}

export type KeysCommand = { readonly place: PlaceArguments; readonly json: boolean } & (
  | { readonly action: "create"; readonly name: string; readonly scopes: readonly Scope[] }
  | { readonly action: "list" }
  | { readonly action: "rotate"; readonly keyId: string; readonly graceSeconds: number }
  | { readonly action: "revoke"; readonly keyId: string }
);

/** The command line does not say what to do; the message says why. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

export const help = `npm run keys -- <command> [options]

  create --name <who it is for> --scopes <${scopes.join(",")}>
      Makes a key and shows it, once. admin may do everything, allocate hands out
      codes, read reads and exports.
  list
      Shows all keys, without their secrets.
  rotate <keyId> [--grace 24h]
      Makes a new secret for a key. The old one works on for the grace: 0s, 30m,
      24h, 7d.
  revoke <keyId>
      Ends a key for good. Within a minute no call gets through with it.

Where:
  (nothing)                      the service that "npm start" runs on this machine
  --directory <path>             one that was started with the same option
  --stage <dev or prod>          a stage deployed from here, found by cdk-outputs.json
  --table <name> --region <region> --usage-plan <id>
                                 any deployed service, by its stack's outputs

  --json                         answers JSON, for scripts
`;

const options = {
  name: { type: "string" },
  scopes: { type: "string" },
  grace: { type: "string", default: "24h" },
  directory: { type: "string" },
  stage: { type: "string" },
  table: { type: "string" },
  region: { type: "string" },
  "usage-plan": { type: "string" },
  json: { type: "boolean", default: false },
  help: { type: "boolean", short: "h", default: false },
} as const;

/** Reads the command line; "help" when that is what it asks for. Throws `UsageError`. */
export const parseKeysArguments = (given: readonly string[]): KeysCommand | "help" => {
  const { values, positionals } = parse(given);
  const [action, keyId, ...rest] = positionals;
  if (values.help || action === undefined || action === "help") return "help";
  const common = {
    place: {
      directory: values.directory,
      stage: values.stage,
      table: values.table,
      region: values.region,
      usagePlan: values["usage-plan"],
    },
    json: values.json,
  };
  switch (action) {
    case "create":
      if (keyId !== undefined) throw new UsageError(`create takes no ${keyId}; the id is made.`);
      return {
        ...common,
        action,
        name: nameIn(values.name),
        scopes: scopesIn(values.scopes),
      };
    case "list":
      if (keyId !== undefined) throw new UsageError(`list takes no ${keyId}.`);
      return { ...common, action };
    case "rotate":
      return {
        ...common,
        action,
        keyId: keyIdIn(action, keyId, rest),
        graceSeconds: secondsIn(values.grace),
      };
    case "revoke":
      return { ...common, action, keyId: keyIdIn(action, keyId, rest) };
    default:
      throw new UsageError(`There is no command ${action}.`);
  }
};

const parse = (given: readonly string[]) => {
  try {
    return parseArgs({ args: [...given], options, allowPositionals: true });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
};

const nameIn = (name: string | undefined): string => {
  if (!name?.trim()) throw new UsageError("Say who the key is for: --name <name>.");
  return name.trim();
};

const scopesIn = (text: string | undefined): readonly Scope[] => {
  const named = (text ?? "").split(",").map((scope) => scope.trim());
  const unknown = named.filter((scope) => !(scopes as readonly string[]).includes(scope));
  if (unknown.length > 0)
    throw new UsageError(`Say what the key may do: --scopes with one or more of ${scopes.join(",")}.`);
  return [...new Set(named as Scope[])];
};

const keyIdIn = (action: string, keyId: string | undefined, rest: readonly string[]): string => {
  if (keyId === undefined) throw new UsageError(`Say which key: ${action} <keyId>; "list" shows them.`);
  if (rest.length > 0) throw new UsageError(`${action} takes one key at a time.`);
  if (keyId.startsWith("cwk_"))
    throw new UsageError('That is a secret, not a key\'s id. The id begins with key_; "list" shows them.');
  return keyId;
};

const secondsByUnit: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600, d: 86_400 };

const secondsIn = (grace: string): number => {
  const [, count, unit] = /^(\d{1,6})([smhd])$/.exec(grace) ?? [];
  if (count === undefined || unit === undefined)
    throw new UsageError("--grace is a time such as 0s, 30m, 24h or 7d.");
  return Number(count) * (secondsByUnit[unit] ?? 1);
};
