import { type AuditTargets, auditTargetNames } from "../contract/audit.ts";
import { problemByCode } from "../contract/problems.ts";
import type { Route } from "../contract/route.ts";
import { type AuditEnding, beginAudit, endAudit } from "../storage/audit-trail.ts";
import type { ApiMiddleware } from "./api-middleware.ts";
import { failureOf } from "./failure-of.ts";
import { loggable, logger } from "./logger.ts";

/**
 * Puts every administrative change on record before it is made, and how it ended afterwards: what cannot be put on
 * record is not done.
 *
 *     begin ── written ──> handler ── success ──> done
 *       │                     ├── refused (4xx) ─> refused
 *       │                     ├── failed (5xx) ──> failed
 *       │                     └── crashed, or out of time: stays `begun`
 *       └── not written ─> the call fails, nothing is changed
 *
 * Behind the Idempotency-Key, so that an answer given again, which changes nothing, is no entry; a try that goes on
 * where another one crashed is one.
 */
export const auditTrail = (route: Route): ApiMiddleware => ({
  before: async ({ context }) => {
    const { call } = context;
    if (route.audit === undefined) return;
    const auditId = await beginAudit(
      {
        action: route.audit,
        keyId: call.keyId,
        requestId: call.requestId,
        targets: targetsIn(call.path, call.body),
        fields: call.body as Record<string, unknown>,
      },
      call.receivedAt,
    );
    context.call = { ...call, auditId };
  },
  after: async ({ context: { call }, response }) => {
    if (call.auditId === undefined || !response || !("statusCode" in response)) return;
    const answer: unknown = JSON.parse(response.body);
    await tellEnd(call.auditId, {
      outcome: "done",
      status: response.statusCode,
      targets: targetsIn(call.path, call.body, ...objectsIn(answer), answer),
    });
  },
  onError: async ({ context: { call }, error }) => {
    // A function that ran out of time is frozen in mid-work and may go on with it when it thaws: who knows.
    if (call.auditId === undefined || !error || error.name === "TimeoutError") return;
    const { code } = failureOf(error);
    const { status } = problemByCode[code];
    await tellEnd(call.auditId, {
      outcome: status < 500 ? "refused" : "failed",
      status,
      code,
      targets: targetsIn(call.path, call.body),
    });
  },
});

/** The change is made or refused by now: that its end is not on record must not turn the answer into another one. */
const tellEnd = (auditId: string, ending: AuditEnding): Promise<void> =>
  endAudit(auditId, ending).catch((trouble: Error) =>
    logger.warn("an audit entry stays begun", { auditId, error: loggable(trouble) }),
  );

/** Ids by their well-known names, the later ones over the earlier. Anything else, a customer id above all, stays out. */
const targetsIn = (...values: readonly unknown[]): AuditTargets => {
  const named: Record<string, unknown> = Object.assign({}, ...values);
  return Object.fromEntries(
    auditTargetNames.flatMap((name) => (typeof named[name] === "string" ? [[name, named[name]]] : [])),
  );
};

/** What an answer holds one level down: `{file, upload}`, `{audience, upload}`. */
const objectsIn = (answer: unknown): readonly unknown[] =>
  Object.values(answer as object).filter((value) => typeof value === "object" && value !== null);
