import { QueryCommand } from "@aws-sdk/lib-dynamodb";
import type * as z from "zod";
import { type AuditEntry, auditTargetNames, type listAuditEntriesQuery } from "../contract/audit.ts";
import { auditBound, auditBoundOfMonth, auditMonthBefore } from "./audit-ids.ts";
import { auditEntryOf } from "./audit-trail.ts";
import { dynamoDb, tableName } from "./client.ts";
import { decodeCursor, encodeCursor } from "./cursors.ts";
import { rightBefore } from "./list-page.ts";
import { partitions } from "./table.ts";

/** Before this there was no audit trail: a list without `from` goes no further back. */
const trailBegan = new Date("2026-11-01T00:00:00.000Z");

/** Clocks differ: an entry may be from a moment that is still to come here. In milliseconds. */
const aheadMs = 3_600_000;

/** Queries in one call, each of a month or of 1 MB of it. What is left is the next page's. */
const mostQueries = 24;

type Request = z.output<typeof listAuditEntriesQuery>;

/**
 * A page of the audit trail, newest first, strongly consistent. Looks through a bounded part of it, so a page can hold
 * fewer entries than `limit` and still have a `nextCursor`.
 */
export const auditPage = async (
  { limit, cursor, ...wanted }: Request,
  now: Date,
): Promise<{ readonly items: AuditEntry[]; readonly nextCursor?: string }> => {
  const { from, to, keyId, action, targetId } = wanted;
  const list = `audit?${JSON.stringify([from, to, keyId, action, targetId])}`;
  const first = auditBound(from === undefined ? trailBegan : new Date(from));
  const filter = filterOf(wanted);
  const items: AuditEntry[] = [];
  let end = cursor === undefined ? newestBound(to, now) : await decodeCursor(list, cursor);
  for (let queries = 0; end > first && items.length <= limit; queries += 1) {
    if (queries === mostQueries) return { items, nextCursor: await encodeCursor(list, end) };
    const month = auditMonthBefore(end);
    const page = await dynamoDb.send(
      new QueryCommand({
        TableName: tableName(),
        KeyConditionExpression: "pk = :pk AND sk BETWEEN :first AND :last",
        ConsistentRead: true,
        ScanIndexForward: false,
        // DynamoDB counts before it filters. One more than the page, to know whether there is another one.
        ...(!filter && { Limit: limit + 1 - items.length }),
        ...filter,
        ExpressionAttributeValues: {
          ...filter?.ExpressionAttributeValues,
          ":pk": partitions.auditOf(month),
          ":first": first,
          ":last": rightBefore(end),
        },
      }),
    );
    items.push(...(page.Items ?? []).map(auditEntryOf));
    end = page.LastEvaluatedKey ? String(page.LastEvaluatedKey.sk) : auditBoundOfMonth(month);
  }
  const last = items[limit - 1];
  if (items.length <= limit || last === undefined) return { items };
  return { items: items.slice(0, limit), nextCursor: await encodeCursor(list, last.auditId) };
};

const newestBound = (to: string | undefined, now: Date): string => {
  const ahead = new Date(now.getTime() + aheadMs);
  return auditBound(to !== undefined && Date.parse(to) < ahead.getTime() ? new Date(to) : ahead);
};

/** Undefined when every entry is wanted. */
const filterOf = ({ keyId, action, targetId }: Pick<Request, "keyId" | "action" | "targetId">) => {
  const names: Record<string, string> = {};
  const values: Record<string, string> = {};
  const conditions: string[] = [];
  for (const [name, value] of Object.entries({ keyId, action })) {
    if (value === undefined) continue;
    conditions.push(`#${name} = :${name}`);
    names[`#${name}`] = name;
    values[`:${name}`] = value;
  }
  if (targetId !== undefined) {
    conditions.push(`(${auditTargetNames.map((name) => `#targets.${name} = :targetId`).join(" OR ")})`);
    names["#targets"] = "targets";
    values[":targetId"] = targetId;
  }
  if (conditions.length === 0) return undefined;
  return {
    FilterExpression: conditions.join(" AND "),
    ExpressionAttributeNames: names,
    ExpressionAttributeValues: values,
  };
};
