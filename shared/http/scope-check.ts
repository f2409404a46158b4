import type { Scope } from "../contract/route.ts";
import { forbidden } from "../domain/failures.ts";

/**
 * Refuses a key without the route's scopes. The authorizer's policy has refused it before: this holds even if the
 * policy were wrong or cached too long.
 */
export const assertScope = (needed: readonly Scope[] | null, held: unknown): void => {
  if (needed === null) return;
  const sufficient: readonly string[] = ["admin", ...needed];
  const scopes = typeof held === "string" ? held.split(" ") : [];
  if (!scopes.some((scope) => sufficient.includes(scope))) throw forbidden(sufficient);
};
