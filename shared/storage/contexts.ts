import { createHash } from "node:crypto";
import { ConditionalCheckFailedException } from "@aws-sdk/client-dynamodb";
import { PutCommand } from "@aws-sdk/lib-dynamodb";
import * as z from "zod";
import { type AllocationContext, noContext } from "../domain/allocation-context.ts";
import { batchGet } from "./batch-get.ts";
import { dynamoDb, tableName } from "./client.ts";
import { LeastRecentlyUsed } from "./least-recently-used.ts";
import { keys } from "./table.ts";

const contextItemSchema = z.object({
  contextId: z.string(),
  occurenceId: z.string().nullable(),
  seriesId: z.string().nullable(),
  actionId: z.string().nullable(),
});

/** 30 bits: short enough for every slot of a cell, rarely shared by two contexts of one promocode. */
const shortestId = 5;
const remembered = 10_000;

/** Ids that this process stored or saw stored, as promises, so that calls at the same time share one write. */
const idByContent = new LeastRecentlyUsed<string, Promise<string>>(remembered);
const contextById = new LeastRecentlyUsed<string, AllocationContext>(remembered);

const isNone = ({ occurenceId, seriesId, actionId }: AllocationContext): boolean =>
  occurenceId === null && seriesId === null && actionId === null;

/** The three values as one text; two contexts that differ never share it. */
const contentOf = ({ occurenceId, seriesId, actionId }: AllocationContext): string =>
  JSON.stringify([occurenceId, seriesId, actionId]);

/**
 * The id under which the context is stored: "" for none. When this resolves the context can be read, so a slot that
 * carries the id always has its context. A context that was seen lately costs nothing, another one write.
 */
export const contextIdOf = (promocodeId: string, context: AllocationContext): Promise<string> => {
  if (isNone(context)) return Promise.resolve("");
  const content = contentOf(context);
  const memory = `${promocodeId}#${content}`;
  const known = idByContent.get(memory);
  if (known) return known;

  const stored = store(promocodeId, context, content);
  idByContent.set(memory, stored);
  stored.catch(() => idByContent.delete(memory));
  return stored;
};

const store = async (promocodeId: string, context: AllocationContext, content: string): Promise<string> => {
  const digest = createHash("sha256").update(content).digest("base64url");
  for (let length = shortestId; length <= digest.length; length += 1) {
    const contextId = digest.slice(0, length);
    if (await claim(promocodeId, contextId, context)) return contextId;
  }
  throw new Error("Every id of a context is taken by another one: two texts have the same SHA-256.");
};

const idIsFree = "attribute_not_exists(pk)";
const idIsOurs = "(occurenceId = :occurenceId AND seriesId = :seriesId AND actionId = :actionId)";

/** Stores the context under the id; false when the id belongs to another context. */
const claim = async (
  promocodeId: string,
  contextId: string,
  { occurenceId, seriesId, actionId }: AllocationContext,
): Promise<boolean> => {
  try {
    await dynamoDb.send(
      new PutCommand({
        TableName: tableName(),
        Item: { ...keys.context(promocodeId, contextId), contextId, occurenceId, seriesId, actionId },
        ConditionExpression: `${idIsFree} OR ${idIsOurs}`,
        ExpressionAttributeValues: {
          ":occurenceId": occurenceId,
          ":seriesId": seriesId,
          ":actionId": actionId,
        },
      }),
    );
    return true;
  } catch (error) {
    if (error instanceof ConditionalCheckFailedException) return false;
    throw error;
  }
};

/**
 * The contexts of these ids, "" included. Contexts never change, so those that were read lately are not read again.
 * Throws when an id is unknown: a slot names it only after its context was stored.
 */
export const contextsOf = async (
  promocodeId: string,
  ids: Iterable<string>,
): Promise<Map<string, AllocationContext>> => {
  const contexts = new Map<string, AllocationContext>();
  const unknown = new Set<string>();
  for (const id of ids) {
    const context = id === "" ? noContext : contextById.get(`${promocodeId}#${id}`);
    if (context) contexts.set(id, context);
    else unknown.add(id);
  }
  if (unknown.size === 0) return contexts;

  const items = await batchGet(
    [...unknown].map((id) => keys.context(promocodeId, id)),
    // A context may have been stored a moment ago.
    { consistent: true },
  );
  for (const item of items) {
    const { contextId, ...context } = contextItemSchema.parse(item);
    contextById.set(`${promocodeId}#${contextId}`, context);
    contexts.set(contextId, context);
    unknown.delete(contextId);
  }
  if (unknown.size > 0)
    throw new Error(
      `Promocode ${promocodeId}: ${unknown.size} context(s) that slots name are not in the table.`,
    );
  return contexts;
};

/** Those of these different ids under which no context is stored, strongly consistent. */
export const unknownContexts = async (
  promocodeId: string,
  ids: readonly string[],
): Promise<readonly string[]> => {
  const named = ids.filter((id) => id !== "");
  const items = await batchGet(
    named.map((id) => keys.context(promocodeId, id)),
    { consistent: true },
  );
  const stored = new Set(items.map((item) => contextItemSchema.parse(item).contextId));
  return named.filter((id) => !stored.has(id));
};
