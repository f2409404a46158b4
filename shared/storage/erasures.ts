import { ConditionalCheckFailedException } from "@aws-sdk/client-dynamodb";
import { DeleteCommand, GetCommand, PutCommand, UpdateCommand } from "@aws-sdk/lib-dynamodb";
import * as z from "zod";
import { timestampSchema } from "../contract/conventions.ts";
import { erasureLifeDays } from "../contract/erasures.ts";
import { erasureNotFound } from "../domain/failures.ts";
import { dynamoDb, tableName } from "./client.ts";
import { keys, tableAttributes } from "./table.ts";

/** An erasure that does not end is forgotten with the last message that could take it up, and the id with it. */
const openLifeDays = 14;
const msPerDay = 86_400_000;

const count = z.int();

const itemSchema = z.object({
  erasureId: z.string(),
  /** Whom to erase. Removed when the erasure succeeds; messages, logs and answers never hold it. */
  customerId: z.string().optional(),
  status: z.enum(["queued", "running", "succeeded", "failed"]),
  /** How often it was begun; only the newest run may change the record. */
  attempt: count,
  /** Which look at all promocodes it is; 0 before the first. */
  round: count,
  /** Promocodes up to this one are done in this round; null at its beginning. */
  cursor: z.string().nullable(),
  /** In this round. */
  promocodes: count,
  found: count,
  /** What is about to be erased and not counted yet, by names that tell nothing. */
  noted: z.set(z.string()).optional(),
  codes: count,
  intents: count,
  defaultCodes: count,
  /** Not before this; null when it need not wait. */
  nextRoundAt: timestampSchema.nullable(),
  failureMessage: z.string().nullable(),
  createdAt: timestampSchema,
  completedAt: timestampSchema.nullable(),
  /** Epoch seconds. */
  [tableAttributes.timeToLive]: z.int(),
});

/** An erasure as it is stored. */
export type StoredErasure = Readonly<z.infer<typeof itemSchema>>;

/** One that has not ended: it knows whom to erase. */
export type OpenErasure = StoredErasure & { readonly customerId: string };

/** The kinds of what an erasure erases, by the first letter of their names among the noted. */
const countByLetter = { c: "codes", i: "intents", d: "defaultCodes" } as const;

/** Another run works on the erasure now: this one must stop and change nothing more. */
export class Superseded extends Error {
  override readonly name = "Superseded";
}

export const erasures = {
  /** Stores a queued erasure. */
  async create({
    erasureId,
    customerId,
    now,
  }: {
    readonly erasureId: string;
    readonly customerId: string;
    readonly now: Date;
  }): Promise<StoredErasure> {
    const item: StoredErasure = {
      erasureId,
      customerId,
      status: "queued",
      attempt: 0,
      round: 0,
      cursor: null,
      promocodes: 0,
      found: 0,
      codes: 0,
      intents: 0,
      defaultCodes: 0,
      nextRoundAt: null,
      failureMessage: null,
      createdAt: now.toISOString(),
      completedAt: null,
      expiresAt: epochSecondsIn(openLifeDays, now),
    };
    await dynamoDb.send(
      new PutCommand({ TableName: tableName(), Item: { ...keys.erasure(erasureId), ...item } }),
    );
    return item;
  },

  /** Takes back one that could not be queued, with the id that it holds. */
  async discard(erasureId: string): Promise<void> {
    await dynamoDb.send(new DeleteCommand({ TableName: tableName(), Key: keys.erasure(erasureId) }));
  },

  /** The erasure. Throws `erasure-not-found`, for one whose time is over too. */
  async get(erasureId: string, now: Date): Promise<StoredErasure> {
    const { Item } = await dynamoDb.send(
      new GetCommand({ TableName: tableName(), Key: keys.erasure(erasureId), ConsistentRead: true }),
    );
    const found = Item && itemSchema.parse(Item);
    if (!found || found.expiresAt * 1000 <= now.getTime()) throw erasureNotFound(erasureId);
    return found;
  },

  /** Begins it or goes on with it, one that failed too; undefined when there is nothing to do: it succeeded or is gone. */
  async begin(erasureId: string): Promise<OpenErasure | undefined> {
    try {
      const { Attributes } = await dynamoDb.send(
        new UpdateCommand({
          TableName: tableName(),
          Key: keys.erasure(erasureId),
          UpdateExpression: "SET #status = :running, failureMessage = :none ADD attempt :one",
          ConditionExpression: "attribute_exists(customerId)",
          ExpressionAttributeNames: { "#status": "status" },
          ExpressionAttributeValues: { ":running": "running", ":none": null, ":one": 1 },
          ReturnValues: "ALL_NEW",
        }),
      );
      return itemSchema.parse(Attributes) as OpenErasure;
    } catch (error) {
      if (error instanceof ConditionalCheckFailedException) return undefined;
      throw error;
    }
  },

  /** Begins a round: from the first promocode, with nothing found yet. */
  beginRound: (run: StoredErasure, round: number): Promise<OpenErasure> =>
    changeOpen(run, {
      SET: { round, cursor: null, promocodes: 0, found: 0, nextRoundAt: null },
    }),

  /** What is about to be erased, so that it is counted once even if this run dies. */
  note: (run: StoredErasure, names: readonly string[]): Promise<OpenErasure> =>
    changeOpen(run, { ADD: { noted: new Set(names) } }),

  /** Counts what was noted and is erased now. */
  count(run: StoredErasure, names: readonly string[]): Promise<OpenErasure> {
    const amounts: Record<string, number> = { found: names.length };
    for (const name of names) {
      const kind = countByLetter[name.charAt(0) as keyof typeof countByLetter];
      amounts[kind] = (amounts[kind] ?? 0) + 1;
    }
    return changeOpen(run, { ADD: amounts, DELETE: { noted: new Set(names) } });
  },

  /** So many more promocodes, up to this one, are done in this round. */
  pass: (run: StoredErasure, cursor: string, promocodes: number): Promise<OpenErasure> =>
    changeOpen(run, { SET: { cursor }, ADD: { promocodes } }),

  /** The round is over; the next one comes not before then. */
  pause: (run: StoredErasure, nextRoundAt: Date): Promise<OpenErasure> =>
    changeOpen(run, { SET: { nextRoundAt: nextRoundAt.toISOString() } }),

  /** The person is erased, and with this their id here too. */
  complete: (run: StoredErasure, now: Date): Promise<StoredErasure> =>
    changeOwn(run, {
      SET: {
        status: "succeeded",
        completedAt: now.toISOString(),
        nextRoundAt: null,
        expiresAt: epochSecondsIn(erasureLifeDays, now),
      },
      REMOVE: ["customerId", "noted"],
    }),

  /** `message` is for the caller. The id stays for as long as the dead letter, which goes on with it. */
  fail: (run: StoredErasure, message: string): Promise<OpenErasure> =>
    changeOpen(run, { SET: { status: "failed", failureMessage: message } }),
};

const epochSecondsIn = (days: number, now: Date): number =>
  Math.ceil((now.getTime() + days * msPerDay) / 1000);

interface Change {
  readonly SET?: Readonly<Partial<StoredErasure>>;
  readonly ADD?: Readonly<Record<string, number | ReadonlySet<string>>>;
  readonly DELETE?: Readonly<Record<string, ReadonlySet<string>>>;
  readonly REMOVE?: readonly string[];
}

/** Every change but the last one leaves the record knowing whom to erase. */
const changeOpen = async (run: StoredErasure, change: Change): Promise<OpenErasure> =>
  (await changeOwn(run, change)) as OpenErasure;

/** Changes the record as long as no other run has begun. Throws `Superseded` when one has. */
const changeOwn = async (
  { erasureId, attempt }: StoredErasure,
  { SET, ADD, DELETE, REMOVE }: Change,
): Promise<StoredErasure> => {
  const values: Record<string, unknown> = { ":attempt": attempt };
  const names: Record<string, string> = {};
  const part = (clause: string, fields: Readonly<Record<string, unknown>> | undefined, joint: string) => {
    const terms = Object.entries(fields ?? {}).map(([name, value]) => {
      names[`#${name}`] = name;
      values[`:${clause}${name}`] = value;
      return `#${name}${joint}:${clause}${name}`;
    });
    return terms.length === 0 ? [] : [`${clause} ${terms.join(", ")}`];
  };
  const removed = (REMOVE ?? []).map((name) => {
    names[`#${name}`] = name;
    return `#${name}`;
  });
  try {
    const { Attributes } = await dynamoDb.send(
      new UpdateCommand({
        TableName: tableName(),
        Key: keys.erasure(erasureId),
        UpdateExpression: [
          ...part("SET", SET, " = "),
          ...part("ADD", ADD, " "),
          ...part("DELETE", DELETE, " "),
          ...(removed.length === 0 ? [] : [`REMOVE ${removed.join(", ")}`]),
        ].join(" "),
        ConditionExpression: "attempt = :attempt",
        ExpressionAttributeNames: names,
        ExpressionAttributeValues: values,
        ReturnValues: "ALL_NEW",
      }),
    );
    return itemSchema.parse(Attributes);
  } catch (error) {
    if (error instanceof ConditionalCheckFailedException)
      throw new Superseded("another run works on the erasure");
    throw error;
  }
};
