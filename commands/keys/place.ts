import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import * as z from "zod";
import { type PlaceArguments, UsageError } from "./arguments.ts";

/** Where the keys are kept, and what else must know of them. */
export interface Place {
  /** Told to the user: "the service on this machine", "stage dev". */
  readonly name: string;
  /** Variables that the storage modules read when they are imported. */
  readonly environment: Readonly<Record<string, string>>;
  /** The gateway's usage plan, which gives each key its rate limit; the local gateway needs none. */
  readonly usagePlan?: { readonly usagePlanId: string; readonly region: string } | undefined;
  /** What the names of its queues begin with, if that is known. */
  readonly queuePrefix?: string;
}

const endpointsSchema = z.object({
  dynamodb: z.object({
    endpoint: z.string(),
    region: z.string(),
    accessKeyId: z.string(),
    secretAccessKey: z.string(),
    tableName: z.string(),
  }),
  /** Absent when the service was started by an older version. */
  sqs: z.object({ endpoint: z.string() }).optional(),
});

const outputsSchema = z.record(
  z.string(),
  z.object({ ApiUrl: z.string(), TableName: z.string(), UsagePlanId: z.string() }),
);

/** Finds the service whose keys are meant. `directory` is the project's. Throws `UsageError` with what to do. */
export const findPlace = (
  given: PlaceArguments,
  directory: string,
  defaultRegion: string | undefined,
): Place => {
  const place = findService(given, directory, defaultRegion);
  if (given.table !== undefined && given.usagePlan === undefined)
    throw new UsageError("Say which usage plan limits the keys: --usage-plan <id>, an output of the stack.");
  return place;
};

/** The same for a command that has nothing to do with keys, so that a table is enough. */
export const findService = (
  { directory: dataDirectory, stage, table, region, usagePlan }: PlaceArguments,
  directory: string,
  defaultRegion: string | undefined,
): Place => {
  if (table !== undefined) {
    const chosen = region ?? defaultRegion;
    if (chosen === undefined) throw new UsageError("Say where the table is: --region <region>.");
    return deployed(`table ${table}`, { table, region: chosen, usagePlan });
  }
  return stage === undefined
    ? localPlace(dataDirectory ?? join(directory, ".local"))
    : stagePlace(stage, region, directory);
};

/** The region of a deployed service; undefined for one on this machine. */
export const deployedRegion = ({ environment }: Place): string | undefined =>
  environment.AWS_ENDPOINT_URL_DYNAMODB === undefined ? environment.AWS_REGION : undefined;

const localPlace = (dataDirectory: string): Place => {
  const file = join(dataDirectory, "endpoints.json");
  if (!existsSync(file))
    throw new UsageError(
      'No service runs on this machine: run "npm start" first, or name a deployed one with --stage.',
    );
  const { dynamodb, sqs } = endpointsSchema.parse(JSON.parse(readFileSync(file, "utf8")));
  return {
    name: "the service on this machine",
    environment: {
      TABLE_NAME: dynamodb.tableName,
      AWS_REGION: dynamodb.region,
      AWS_ACCESS_KEY_ID: dynamodb.accessKeyId,
      AWS_SECRET_ACCESS_KEY: dynamodb.secretAccessKey,
      // Empty counts as unset: a developer's own session or profile must not sign for the local service.
      AWS_SESSION_TOKEN: "",
      AWS_PROFILE: "",
      AWS_ENDPOINT_URL_DYNAMODB: dynamodb.endpoint,
      ...(sqs && { AWS_ENDPOINT_URL_SQS: sqs.endpoint }),
    },
    // Its queues are the only ones at this endpoint.
    ...(sqs && { queuePrefix: "" }),
  };
};

const stagePlace = (stage: string, region: string | undefined, directory: string): Place => {
  const file = join(directory, "cdk-outputs.json");
  if (!existsSync(file))
    throw new UsageError(
      `cdk-outputs.json is not here: "npm run deploy -- --context stage=${stage}" writes it. Or name the service by its stack's outputs, as --help shows.`,
    );
  const outputs = outputsSchema.parse(JSON.parse(readFileSync(file, "utf8")))[`Codewell-${stage}`];
  if (!outputs)
    throw new UsageError(`cdk-outputs.json knows no stage ${stage}: it was not deployed from here.`);
  const place = deployed(`stage ${stage}`, {
    table: outputs.TableName,
    region: region ?? regionOf(outputs.ApiUrl),
    usagePlan: outputs.UsagePlanId,
  });
  return { ...place, queuePrefix: `Codewell-${stage}-` };
};

const deployed = (
  name: string,
  { table, region, usagePlan }: { table: string; region: string; usagePlan: string | undefined },
): Place => ({
  name,
  environment: { TABLE_NAME: table, AWS_REGION: region },
  usagePlan: usagePlan === undefined ? undefined : { usagePlanId: usagePlan, region },
});

/** From `https://abcdef.execute-api.eu-west-1.amazonaws.com/dev`. */
const regionOf = (apiUrl: string): string => {
  const region = /\.execute-api\.([a-z0-9-]+)\./.exec(apiUrl)?.[1];
  if (region === undefined)
    throw new UsageError(`${apiUrl} does not tell its region: name it with --region.`);
  return region;
};
