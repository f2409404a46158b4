import { createHash, randomBytes } from "node:crypto";
import type { AllocateCode } from "../contract/allocations.ts";
import type { AllocationMethod } from "../contract/promocodes.ts";

/** 96 bits: two triggers of one customer never meet, and a slot stays short. */
const triggerLength = 16;

const digestOf = (...parts: readonly (string | null)[]): string =>
  createHash("sha256").update(JSON.stringify(parts)).digest("base64url").slice(0, triggerLength);

/** What a caller said to make the call known again; null when they said nothing. */
export const namedTrigger = (
  { occurenceId, seriesId, actionId }: AllocateCode,
  idempotencyKey: string | undefined,
): string | null => {
  if (idempotencyKey !== undefined) return digestOf("key", idempotencyKey);
  if (occurenceId !== undefined)
    return digestOf("occurence", occurenceId, seriesId ?? null, actionId ?? null);
  return null;
};

/**
 * What makes a Varying call unique: the Idempotency-Key, else occurrence, series and action if an occurrence was
 * named, else nothing but chance. Null under Consistent, where the customer alone decides.
 */
export const triggerOf = (
  method: AllocationMethod,
  request: AllocateCode,
  idempotencyKey: string | undefined,
): string | null =>
  method === "Consistent"
    ? null
    : (namedTrigger(request, idempotencyKey) ?? randomBytes(12).toString("base64url"));
