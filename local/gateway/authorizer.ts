import * as z from "zod";
import { FunctionError } from "../functions/function-error.ts";
import type { AuthorizerFacts } from "../template/facts.ts";
import { type GatewayCall, headerValuesOf } from "./call.ts";
import { allows, type Policy, policySchema } from "./policy.ts";
import { type AuthorizerContext, authorizerEvent } from "./proxy-event.ts";
import { Refusal } from "./refusal.ts";
import type { Match } from "./router.ts";

/** Runs a function of the stack on a JSON text; rejects with a FunctionError. */
export type Invoke = (functionArn: string, event: string) => Promise<unknown>;

export interface Authorization {
  readonly context: AuthorizerContext;
  readonly usageIdentifierKey?: string | undefined;
}

export interface AuthorizerCall {
  readonly call: GatewayCall;
  readonly match: Match;
  readonly apiId: string;
  readonly stage: string;
  /** What the policy speaks of. */
  readonly methodArn: string;
}

/** Lets a call pass or throws the refusal that API Gateway would answer. */
export type Authorize = (facts: AuthorizerFacts, call: AuthorizerCall) => Promise<Authorization>;

const answerSchema = z.object({
  principalId: z.string(),
  policyDocument: policySchema,
  // Nested values are refused by API Gateway too.
  context: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()])).nullish(),
  usageIdentifierKey: z.string().nullish(),
});

interface Verdict extends Authorization {
  readonly policy: Policy;
  readonly expiresAt: number;
}

const maxCachedVerdicts = 10_000;

/** An authorizer with API Gateway's cache: one verdict per identity, whatever is called with it, until it is too old. */
export function authorizer(invoke: Invoke): Authorize {
  const verdicts = new Map<string, Verdict>();

  return async (facts, input) => {
    // With every value of a header: what was said of one key holds for no request that brings a second one.
    const identity = facts.identityHeaders.map((name) => headerValuesOf(input.call, name).join(","));
    if (identity.some((value) => value === "")) throw new Refusal("UNAUTHORIZED", "Unauthorized");

    const key = JSON.stringify([facts.logicalId, ...identity]);
    const cached = verdicts.get(key);
    const verdict =
      cached !== undefined && cached.expiresAt > Date.now() ? cached : await ask(invoke, facts, input);
    if (verdict !== cached && facts.resultTtlSeconds > 0 && identity.length > 0) {
      if (verdicts.size >= maxCachedVerdicts) verdicts.clear();
      verdicts.set(key, verdict);
    }
    if (!allows(verdict.policy, input.methodArn))
      throw new Refusal("ACCESS_DENIED", "User is not authorized to access this resource");
    return verdict;
  };
}

async function ask(invoke: Invoke, facts: AuthorizerFacts, input: AuthorizerCall): Promise<Verdict> {
  const answer = await invoke(
    facts.functionArn,
    JSON.stringify(authorizerEvent(input, input.methodArn)),
  ).catch((error: unknown) => {
    if (error instanceof FunctionError && error.message === "Unauthorized")
      throw new Refusal("UNAUTHORIZED", "Unauthorized");
    throw new Refusal("AUTHORIZER_FAILURE", "Internal server error");
  });
  const parsed = answerSchema.safeParse(answer);
  if (!parsed.success) throw new Refusal("AUTHORIZER_CONFIGURATION_ERROR", "Internal server error");
  const { principalId, policyDocument, context, usageIdentifierKey } = parsed.data;
  const strings = Object.entries(context ?? {})
    .filter(([, value]) => value !== null)
    .map(([name, value]) => [name, String(value)]);
  return {
    policy: policyDocument,
    context: { ...Object.fromEntries(strings), principalId },
    usageIdentifierKey: usageIdentifierKey ?? undefined,
    expiresAt: Date.now() + facts.resultTtlSeconds * 1_000,
  };
}
