import type { Template } from "aws-cdk-lib/assertions";
import { Bucket } from "aws-cdk-lib/aws-s3";
import { AwsSolutionsChecks, ServerlessChecks } from "cdk-nag";
import { describe, expect, it } from "vitest";
import { stageNames } from "../../infra/stages.ts";
import { appOf, resourcesOf, templateOf } from "./synthesized.ts";

/** The template as JSON without what changes by itself: asset hashes, the deployment's hash, construct paths. */
const stable = (template: Template): string => {
  const json = structuredClone(template.toJSON());
  for (const resource of Object.values<Record<string, unknown>>(json.Resources)) delete resource.Metadata;
  return `${JSON.stringify(json, null, 2)
    .replace(/[0-9a-f]{64}\.zip/g, "ASSET.zip")
    .replace(/(ApiRestDeployment[0-9A-F]{8})[0-9a-f]{32}/g, "$1HASH")}\n`;
};

const prod = stable(templateOf("prod"));

describe("the stack", { timeout: 30_000 }, () => {
  it("of prod is the one that was reviewed", async () => {
    await expect(prod).toMatchFileSnapshot("__snapshots__/codewell-prod.json");
  });

  it.each(stageNames.filter((stage) => stage !== "prod"))("of %s differs from it only so", async (stage) => {
    const differing = differences(prod, stable(templateOf(stage)));

    await expect(differing).toMatchFileSnapshot(`__snapshots__/codewell-${stage}.diff`);
  });

  it("tells where it is: the API, the buckets, the table, and what new keys are registered with", () => {
    expect(Object.keys(JSON.parse(prod).Outputs).sort()).toEqual([
      "ApiUrl",
      "EventBusName",
      "ExportsBucket",
      "RestApiId",
      "TableName",
      "UploadsBucket",
      "UsagePlanId",
    ]);
  });

  it("is plain: no custom resource, no nested stack, so that the local service can read it", () => {
    const types = new Set([...resourcesOf(templateOf("local")).values()].map(({ Type }) => Type));

    expect([...types].filter((type) => /^Custom::|CustomResource|Stack$/.test(type))).toEqual([]);
  });

  it("retains all that cannot be made again", () => {
    const stateful = /^AWS::(DynamoDB::Table|S3::Bucket|SQS::Queue|Logs::LogGroup)$/;
    const kept = [...resourcesOf(templateOf("dev"))].filter(([, { Type }]) => stateful.test(Type));

    expect(kept.length).toBeGreaterThan(10);
    expect(kept.filter(([, { DeletionPolicy }]) => DeletionPolicy !== "Retain")).toEqual([]);
  });

  it("has room to grow within the 500 resources that CloudFormation permits", () => {
    expect(resourcesOf(templateOf("prod")).size).toBeLessThan(400);
  });
});

describe("cdk-nag", { timeout: 30_000 }, () => {
  const findings = (app: ReturnType<typeof appOf>) =>
    [new AwsSolutionsChecks(app), new ServerlessChecks(app)].flatMap((pack) =>
      pack
        .validateScope(app)
        .violations.map(({ ruleName, violatingResources }) => [
          ruleName,
          violatingResources.map((resource) => resource.constructPath),
        ]),
    );

  it("finds nothing that is not acknowledged with a reason", () => {
    const app = appOf("prod");
    app.synth();

    expect(findings(app)).toEqual([]);
  });

  it("would find what is wrong", () => {
    const app = appOf("prod");
    new Bucket(app.stack, "Careless");
    app.synth();

    expect(findings(app)).toContainEqual(["AwsSolutions-S10", ["Codewell-prod/Careless/Resource"]]);
  });
});

/** What differs but for names that hold the stage's own, each difference once with how often it is there. */
function differences(one: string, other: string): string {
  const left = withoutStageNames(one);
  const right = withoutStageNames(other);
  const timesByHunk = new Map<string, number>();
  let l = 0;
  let r = 0;
  while (l < left.length || r < right.length) {
    if (left[l] === right[r]) {
      l += 1;
      r += 1;
      continue;
    }
    const [skipLeft, skipRight] = nextAgreement(left.slice(l), right.slice(r));
    const hunk = [
      ...left.slice(l, l + skipLeft).map((line) => `- ${line.trim()}`),
      ...right.slice(r, r + skipRight).map((line) => `+ ${line.trim()}`),
    ].join("\n");
    timesByHunk.set(hunk, (timesByHunk.get(hunk) ?? 0) + 1);
    l += skipLeft;
    r += skipRight;
  }
  return [...timesByHunk].map(([hunk, times]) => `${times} times:\n${hunk}\n`).join("\n");
}

/** Ids and names that hold the stage's name, and the hashes that come of it, are spelled alike; so are line ends. */
function withoutStageNames(json: string): readonly string[] {
  return json
    .replace(/(Codewell|codewell-|Codewell-|Codewell |DeploymentStage)(prod|dev|local)/g, "$1")
    .replace(/[0-9A-F]{8}/g, "HASH")
    .replace(/,$/gm, "")
    .split("\n");
}

/** How many lines to leave out of each side until both go on alike, as few as possible. */
function nextAgreement(left: readonly string[], right: readonly string[]): readonly [number, number] {
  for (let total = 1; total < left.length + right.length; total += 1)
    for (let skipLeft = 0; skipLeft <= total; skipLeft += 1) {
      const skipRight = total - skipLeft;
      if (skipLeft < left.length && left[skipLeft] === right[skipRight]) return [skipLeft, skipRight];
    }
  return [left.length, right.length];
}
