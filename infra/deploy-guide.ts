import * as z from "zod";
import { type StageName, stackName, stageNames, stageSettings } from "./stages.ts";

/** What `npm run deploy -- …` was asked for. */
export interface DeployRequest {
  readonly stage: StageName;
  /** The arguments as given: the CDK's command line reads the stage from them too. */
  readonly cdkArguments: readonly string[];
}

const usage = `npm run deploy -- --context stage=${stageNames.filter((name) => name !== "local").join(" or ")}`;

/** Reads the command's arguments. Throws a sentence that tells what to write when no stage can be deployed from them. */
export const deployRequest = (given: readonly string[]): DeployRequest => {
  const name = stageIn(given);
  if (name === undefined) throw new Error(`Say which stage to deploy: ${usage}`);
  const { name: stage } = stageSettings(name);
  if (stage === "local")
    throw new Error(`The stage local runs on this machine: npm start. To deploy: ${usage}`);
  return { stage, cdkArguments: given };
};

/** The last `--context stage=…`, in any of the CDK's spellings. */
const stageIn = (given: readonly string[]): string | undefined =>
  given
    .flatMap((argument, index) => {
      const [, joined] = /^(?:--context|-c)=(.*)$/.exec(argument) ?? [];
      const separate = argument === "--context" || argument === "-c" ? given[index + 1] : undefined;
      const [, stage] = /^stage=(.+)$/.exec(joined ?? separate ?? "") ?? [];
      return stage ?? [];
    })
    .at(-1);

/** What to do next, from the file that `cdk deploy --outputs-file` wrote. */
export const nextSteps = (outputs: unknown, stage: StageName): string => {
  const parsed = z.object({ [stackName(stage)]: z.object({ ApiUrl: z.string() }) }).safeParse(outputs);
  const url = parsed.data?.[stackName(stage)]?.ApiUrl;
  if (url === undefined) throw new Error(`cdk-outputs.json does not tell the ApiUrl of ${stackName(stage)}.`);
  return [
    "",
    `Codewell (${stage}) answers at ${url}`,
    "",
    "Make the first key; it is shown once:",
    `  npm run keys -- create --name first --scopes admin --stage ${stage}`,
    "",
    "Then try it:",
    `  curl ${url}/health`,
    `  curl -H "X-API-KEY: <the key>" ${url}/v1/promotions`,
    "",
  ].join("\n");
};

const hints: readonly { readonly sign: RegExp; readonly hint: string }[] = [
  {
    sign: /credentials|Unable to resolve AWS account|security token|ExpiredToken|SSO session/i,
    hint: "AWS refused or got no credentials. Sign in (aws sso login, or set AWS_PROFILE), see that `aws sts get-caller-identity` answers, then try again.",
  },
  {
    sign: /bootstrap/i,
    hint: "This account and region were never prepared for the CDK. Once: npx cdk bootstrap aws://ACCOUNT/REGION",
  },
  {
    sign: /region/i,
    hint: "No AWS region is set. Set AWS_REGION, for example AWS_REGION=eu-west-1, then try again.",
  },
];

/** What to do about a deployment that failed, judged by what the CDK printed; undefined when it speaks for itself. */
export const failureHint = (printed: string): string | undefined =>
  hints.find(({ sign }) => sign.test(printed))?.hint;
