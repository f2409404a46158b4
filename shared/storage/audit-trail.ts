import { ConditionalCheckFailedException } from "@aws-sdk/client-dynamodb";
import { PutCommand, UpdateCommand } from "@aws-sdk/lib-dynamodb";
import { ulid } from "ulid";
import * as z from "zod";
import type { AuditEntry } from "../contract/audit.ts";
import { auditEntrySchema } from "../contract/audit.ts";
import { auditedFields } from "../domain/audited-fields.ts";
import { auditMonth } from "./audit-ids.ts";
import { dynamoDb, tableName } from "./client.ts";
import { keys } from "./table.ts";

/** Who asks for which change: a call by its key and request, or a command by its operator. */
export type AuditBeginning = Pick<AuditEntry, "action" | "targets" | "fields"> &
  (Pick<AuditEntry, "keyId" | "requestId"> | Pick<AuditEntry, "operator">);

export type AuditEnding = Pick<AuditEntry, "outcome" | "targets"> &
  Partial<Pick<AuditEntry, "status" | "code">>;

/** The entry in an item of `keys.auditEntry`. */
export const auditEntryOf = (item: unknown): AuditEntry => itemSchema.parse(item);

/** As it is told, but read without refusing what a later version may have added. */
const itemSchema = z.object(auditEntrySchema.shape);

/**
 * Puts a change on record before it is made, its outcome open. Throws when that is not possible: then the change must
 * not be made. Answers the entry's id.
 */
export const beginAudit = async (beginning: AuditBeginning, now: Date): Promise<string> => {
  const entry: AuditEntry = {
    auditId: `adt_${ulid(now.getTime())}`,
    at: now.toISOString(),
    keyId: null,
    operator: null,
    requestId: null,
    ...beginning,
    fields: auditedFields(beginning.fields),
    outcome: "begun",
    status: null,
    code: null,
  };
  try {
    await dynamoDb.send(
      new PutCommand({
        TableName: tableName(),
        Item: { ...keyOf(entry.auditId), ...entry },
        // The SDK may send it twice, and the first one may arrive last, when the outcome is on record already.
        ConditionExpression: "attribute_not_exists(pk)",
      }),
    );
  } catch (error) {
    if (!(error instanceof ConditionalCheckFailedException)) throw error;
  }
  return entry.auditId;
};

/** Tells how a change ended, and what it made. */
export const endAudit = async (
  auditId: string,
  { outcome, targets, status = null, code = null }: AuditEnding,
): Promise<void> => {
  await dynamoDb.send(
    new UpdateCommand({
      TableName: tableName(),
      Key: keyOf(auditId),
      UpdateExpression: "SET #outcome = :outcome, #targets = :targets, #status = :status, #code = :code",
      ConditionExpression: "attribute_exists(pk)",
      ExpressionAttributeNames: {
        "#outcome": "outcome",
        "#targets": "targets",
        "#status": "status",
        "#code": "code",
      },
      ExpressionAttributeValues: {
        ":outcome": outcome,
        ":targets": targets,
        ":status": status,
        ":code": code,
      },
    }),
  );
};

const keyOf = (auditId: string) => keys.auditEntry(auditMonth(auditId), auditId);
