import * as z from "zod";

const oneOrMore = <Item extends z.ZodType>(item: Item) =>
  z.union([z.array(item), item]).transform((value) => (Array.isArray(value) ? value : [value]));

/** The policy document that an authorizer returns, as far as API Gateway reads it. */
export const policySchema = z.object({
  Statement: oneOrMore(
    z.object({
      Effect: z.enum(["Allow", "Deny"]),
      Action: oneOrMore(z.string()),
      Resource: oneOrMore(z.string()),
    }),
  ),
});

export type Policy = z.output<typeof policySchema>;

/** True when a statement allows the call and none denies it. */
export function allows(policy: Policy, methodArn: string): boolean {
  const effects = policy.Statement.filter(
    ({ Action, Resource }) =>
      Action.some((pattern) => matches(pattern as string, "execute-api:Invoke")) &&
      Resource.some((pattern) => matches(pattern as string, methodArn)),
  ).map(({ Effect }) => Effect);
  return effects.includes("Allow") && !effects.includes("Deny");
}

/** IAM's wildcards: `*` for any text, `?` for one character. */
function matches(pattern: string, text: string): boolean {
  const expression = pattern
    .replaceAll(/[.+^${}()|[\]\\]/g, "\\$&")
    .replaceAll("*", ".*")
    .replaceAll("?", ".");
  return new RegExp(`^${expression}$`, "s").test(text);
}
