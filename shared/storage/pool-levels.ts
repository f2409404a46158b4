import { ConditionalCheckFailedException } from "@aws-sdk/client-dynamodb";
import { GetCommand, UpdateCommand } from "@aws-sdk/lib-dynamodb";
import * as z from "zod";
import { type EventName, eventNames, events } from "../contract/events.ts";
import { nothingTold, poolLevels, type ToldOfPool } from "../domain/pool-level.ts";
import type { ServiceEvent } from "../domain/service-events.ts";
import { dynamoDb, tableName } from "./client.ts";
import { keys } from "./table.ts";

/** An event that was decided and is not known to be on the bus. */
export interface Undelivered {
  readonly event: ServiceEvent;
  /** Who has to deliver it: the stream shard whose batch it was decided in. */
  readonly by: string;
  readonly since: Date;
}

/** What was told of a pool, and what is still to be delivered of it. */
export interface StoredPoolLevel extends ToldOfPool {
  /** Grows with every change, at least by the events that came with it: it numbers them. 0: nothing is stored. */
  readonly version: number;
  readonly undelivered: readonly Undelivered[];
}

const undeliveredSchema = z.object({
  name: z.enum(eventNames as [EventName, ...EventName[]]),
  detail: z.string(),
  by: z.string(),
  since: z.coerce.date(),
});

const itemSchema = z.object({
  version: z.int(),
  levels: z.array(z.enum(poolLevels)),
  generation: z.int(),
  defaultsGiven: z.int(),
  /** By the event's id. */
  undelivered: z.record(z.string(), undeliveredSchema),
});

/** Strongly consistent. */
export const poolLevelOf = async (promocodeId: string): Promise<StoredPoolLevel> => {
  const { Item } = await dynamoDb.send(
    new GetCommand({ TableName: tableName(), Key: keys.poolLevel(promocodeId), ConsistentRead: true }),
  );
  if (!Item) return { ...nothingTold, version: 0, undelivered: [] };
  const { undelivered, ...level } = itemSchema.parse(Item);
  return { ...level, undelivered: Object.values(undelivered).map(fromItem) };
};

const fromItem = ({ name, detail, by, since }: z.infer<typeof undeliveredSchema>): Undelivered => ({
  event: { name, detail: events[name].detail.parse(JSON.parse(detail)) } as ServiceEvent,
  by,
  since,
});

const toItem = ({ event, by, since }: Undelivered) => ({
  name: event.name,
  detail: JSON.stringify(event.detail),
  by,
  since: since.toISOString(),
});

/**
 * Writes what is told from now on, together with the events that say so: neither is there without the other. False
 * when somebody else wrote since `seen` was read.
 */
export const changePoolLevel = async (
  promocodeId: string,
  seen: StoredPoolLevel,
  next: ToldOfPool & { readonly version: number; readonly events: readonly Undelivered[] },
): Promise<boolean> => {
  const entries = next.events.map((each) => [each.event.detail.eventId, toItem(each)] as const);
  const isFirst = seen.version === 0;
  const eventNamesIn = Object.fromEntries(entries.map(([id], at) => [`#event${at}`, id]));
  const eventValues = Object.fromEntries(entries.map(([, item], at) => [`:event${at}`, item]));
  const placed = isFirst
    ? ["undelivered = :events"]
    : entries.map((_, at) => `undelivered.#event${at} = :event${at}`);
  try {
    await dynamoDb.send(
      new UpdateCommand({
        TableName: tableName(),
        Key: keys.poolLevel(promocodeId),
        UpdateExpression: `SET ${["version = :version", "levels = :levels", "generation = :generation", "defaultsGiven = :defaultsGiven", ...placed].join(", ")}`,
        ConditionExpression: isFirst ? "attribute_not_exists(pk)" : "version = :seen",
        ...(!isFirst && entries.length > 0 && { ExpressionAttributeNames: eventNamesIn }),
        ExpressionAttributeValues: {
          ":version": next.version,
          ":levels": next.levels,
          ":generation": next.generation,
          ":defaultsGiven": next.defaultsGiven,
          ...(isFirst
            ? { ":events": Object.fromEntries(entries) }
            : { ":seen": seen.version, ...eventValues }),
        },
      }),
    );
    return true;
  } catch (error) {
    if (error instanceof ConditionalCheckFailedException) return false;
    throw error;
  }
};

/** These events are on the bus. Whoever else removes them, or changes the level, is not in the way. */
export const markDelivered = async (promocodeId: string, eventIds: readonly string[]): Promise<void> => {
  await dynamoDb.send(
    new UpdateCommand({
      TableName: tableName(),
      Key: keys.poolLevel(promocodeId),
      UpdateExpression: `REMOVE ${eventIds.map((_, at) => `undelivered.#event${at}`).join(", ")}`,
      ConditionExpression: "attribute_exists(pk)",
      ExpressionAttributeNames: Object.fromEntries(eventIds.map((id, at) => [`#event${at}`, id])),
    }),
  );
};
