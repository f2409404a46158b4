import type { AuditAction, AuditTargets } from "../shared/contract/audit.ts";

export interface AuditedCommand<Result> {
  readonly action: AuditAction;
  /** `operatorOf` knows. */
  readonly operator: string;
  /** What is to be changed, as far as it has an id yet. @default nothing */
  readonly targets?: AuditTargets;
  /** What was asked for. @default nothing */
  readonly fields?: Readonly<Record<string, unknown>>;
  readonly now: Date;
  /** What was made. @default nothing more */
  readonly made?: (result: Result) => AuditTargets;
}

/**
 * Does a command's work on record: the entry is in the audit trail before `work` begins, or it does not begin. The
 * place's variables must be set: the storage modules read them on import.
 */
export const auditedCommand = async <Result>(
  { action, operator, targets = {}, fields = {}, now, made = () => ({}) }: AuditedCommand<Result>,
  work: () => Promise<Result>,
): Promise<Result> => {
  const { beginAudit, endAudit } = await import("../shared/storage/audit-trail.ts");
  const auditId = await beginAudit({ action, operator, targets, fields: { ...fields } }, now);
  let result: Result;
  try {
    result = await work();
  } catch (error) {
    // What went wrong with the work is what the operator must hear; an entry that stays `begun` says enough.
    await endAudit(auditId, { outcome: "failed", targets }).catch(() => {});
    throw error;
  }
  await endAudit(auditId, { outcome: "done", targets: { ...targets, ...made(result) } }).catch((trouble) =>
    console.error(`Done, but the audit trail does not say so: ${auditId} stays "begun". ${trouble}`),
  );
  return result;
};
