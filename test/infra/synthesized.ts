import { Template } from "aws-cdk-lib/assertions";
import * as z from "zod";
import { CodewellApp } from "../../infra/codewell-app.ts";
import { placeholderBundles } from "./placeholder-bundles.ts";

const bundles = placeholderBundles();

/** The app of a stage over placeholder bundles, so that it does not change with the code of the functions. */
export const appOf = (stage: string): CodewellApp => new CodewellApp({ stage, bundles, checks: false });

const templateByStage = new Map<string, Template>();

/** The stack's template, as CloudFormation would get it. Made once per stage: look, do not change. */
export const templateOf = (stage: string): Template => {
  const template = templateByStage.get(stage) ?? Template.fromStack(appOf(stage).stack);
  templateByStage.set(stage, template);
  return template;
};

const resourceSchema = z.object({
  Type: z.string(),
  Properties: z.record(z.string(), z.unknown()).default({}),
  DependsOn: z.array(z.string()).default([]),
  DeletionPolicy: z.string().optional(),
});

export type TemplateResource = z.infer<typeof resourceSchema>;

/** All resources by logical id. */
export const resourcesOf = (template: Template): ReadonlyMap<string, TemplateResource> =>
  new Map(Object.entries(z.record(z.string(), resourceSchema).parse(template.toJSON().Resources)));

const statementSchema = z.object({
  Action: z.union([z.string(), z.array(z.string())]),
  Effect: z.literal("Allow"),
  Resource: z.unknown(),
});

const policySchema = z.object({
  Roles: z.tuple([z.object({ Ref: z.string() })]),
  PolicyDocument: z.object({ Statement: z.array(statementSchema) }),
});

const functionSchema = z.object({
  Role: z.object({ "Fn::GetAtt": z.tuple([z.string(), z.literal("Arn")]) }),
});

/** `service:Action on resource` for every right of every function, sorted; functions by logical id without its hash. */
export const rightsByFunction = (template: Template): ReadonlyMap<string, readonly string[]> => {
  const resources = resourcesOf(template);
  const rightsByRole = new Map<string, string[]>();
  for (const { Type, Properties } of resources.values()) {
    if (Type !== "AWS::IAM::Policy") continue;
    const { Roles, PolicyDocument } = policySchema.parse(Properties);
    const rights = PolicyDocument.Statement.flatMap(({ Action, Resource }) =>
      [Action].flat().flatMap((action) => [Resource].flat().map((on) => `${action} on ${named(on)}`)),
    );
    rightsByRole.set(Roles[0].Ref, [...(rightsByRole.get(Roles[0].Ref) ?? []), ...rights]);
  }
  const functions = [...resources].filter(([, { Type }]) => Type === "AWS::Lambda::Function");
  return new Map(
    functions.map(([logicalId, { Properties }]) => {
      const role = functionSchema.parse(Properties).Role["Fn::GetAtt"][0];
      return [withoutHash(logicalId), (rightsByRole.get(role) ?? []).sort()];
    }),
  );
};

/** A logical id as the construct's path spells it. */
export const withoutHash = (logicalId: string): string => logicalId.replace(/[0-9A-F]{8}$/, "");

const getAttSchema = z.object({ "Fn::GetAtt": z.tuple([z.string(), z.string()]) });
const joinSchema = z.object({ "Fn::Join": z.tuple([z.string(), z.array(z.unknown())]) });

/** What a policy's resource stands for: `CodesTable`, `FilesUploads/uploads/*`. */
function named(resource: unknown): string {
  if (typeof resource === "string") return resource;
  const join = joinSchema.safeParse(resource);
  if (join.success) return join.data["Fn::Join"][1].map(named).join(join.data["Fn::Join"][0]);
  const [logicalId, attribute] = getAttSchema.parse(resource)["Fn::GetAtt"];
  return attribute === "Arn" ? withoutHash(logicalId) : `${withoutHash(logicalId)}.${attribute}`;
}
