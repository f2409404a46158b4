import { ConditionalCheckFailedException } from "@aws-sdk/client-dynamodb";
import { DeleteCommand, GetCommand, PutCommand, UpdateCommand } from "@aws-sdk/lib-dynamodb";
import * as z from "zod";
import { dynamoDb, tableName } from "./client.ts";
import { keys } from "./table.ts";

/** How long a request may be worked on before another try takes it over: longer than any function of the API runs. */
export const leaseSeconds = 30;
/** How long an answer is kept. */
export const keptSeconds = 86_400;

const recordSchema = z.object({
  /** Of path and body: the same key with another one is a mistake of the caller. */
  requestHash: z.string(),
  /** Names what the request creates; stays the same over all tries. */
  freshUlid: z.string(),
  /** Which try works on it. */
  attempt: z.string(),
  /** Epoch milliseconds. */
  leaseUntil: z.number(),
  /** Epoch seconds. */
  expiresAt: z.number(),
  answer: z.object({ status: z.number(), json: z.string(), location: z.string().optional() }).optional(),
});
type Record = z.infer<typeof recordSchema>;

/** An answer as it was sent. */
export type KeptAnswer = NonNullable<Record["answer"]>;

/** One try of a request with an Idempotency-Key. `digest` stands for caller, route and key. */
export interface Attempt {
  readonly digest: string;
  readonly attempt: string;
}

export type Beginning =
  | { readonly outcome: "begun"; readonly freshUlid: string }
  | { readonly outcome: "kept"; readonly answer: KeptAnswer }
  | { readonly outcome: "in-progress" }
  | { readonly outcome: "reused" };

const isAbsent = "attribute_not_exists(pk)";
const isExpired = "expiresAt <= :nowSeconds";
const isMine = "attempt = :attempt";
const isOpen = "attribute_not_exists(answer)";

/**
 * Takes the key for this try, or tells what is known of it. A request whose lease ran out is taken over with the ULID
 * of its first try, so that what that one created is found and not created twice.
 */
export const begin = async ({
  digest,
  attempt,
  requestHash,
  freshUlid,
  now,
}: Attempt & {
  readonly requestHash: string;
  readonly freshUlid: string;
  readonly now: Date;
}): Promise<Beginning> => {
  const fresh: Record = {
    requestHash,
    freshUlid,
    attempt,
    leaseUntil: now.getTime() + leaseSeconds * 1000,
    expiresAt: epochSeconds(now) + keptSeconds,
  };
  for (;;) {
    if (await createRecord(digest, fresh, now)) return { outcome: "begun", freshUlid };
    const record = await readRecord(digest);
    // Released, or removed for its age, in between: it can be created now.
    if (!record || record.expiresAt <= epochSeconds(now)) continue;
    if (record.requestHash !== requestHash) return { outcome: "reused" };
    if (record.answer) return { outcome: "kept", answer: record.answer };
    // The SDK sent our own Put twice because its first answer was lost.
    if (record.attempt === attempt) return { outcome: "begun", freshUlid: record.freshUlid };
    if (record.leaseUntil > now.getTime()) return { outcome: "in-progress" };
    return (await takeOver(digest, record, fresh))
      ? { outcome: "begun", freshUlid: record.freshUlid }
      : { outcome: "in-progress" };
  }
};

/** Keeps the answer. Does nothing when another try has taken the request over: that one keeps its own. */
export const complete = async ({ digest, attempt }: Attempt, answer: KeptAnswer): Promise<void> => {
  await unlessConditionFails(
    new UpdateCommand({
      TableName: tableName(),
      Key: keys.idempotency(digest),
      UpdateExpression: "SET answer = :answer",
      ConditionExpression: isMine,
      ExpressionAttributeValues: { ":attempt": attempt, ":answer": answer },
    }),
  );
};

/** Frees the key: the request was refused, nothing came of it, and the next one may be another. */
export const release = async ({ digest, attempt }: Attempt): Promise<void> => {
  await unlessConditionFails(
    new DeleteCommand({
      TableName: tableName(),
      Key: keys.idempotency(digest),
      ConditionExpression: `${isMine} AND ${isOpen}`,
      ExpressionAttributeValues: { ":attempt": attempt },
    }),
  );
};

/** Ends the lease: the try failed half-way, and the next one may go on at once. */
export const abandon = async ({ digest, attempt }: Attempt): Promise<void> => {
  await unlessConditionFails(
    new UpdateCommand({
      TableName: tableName(),
      Key: keys.idempotency(digest),
      UpdateExpression: "SET leaseUntil = :ended",
      ConditionExpression: `${isMine} AND ${isOpen}`,
      ExpressionAttributeValues: { ":attempt": attempt, ":ended": 0 },
    }),
  );
};

const createRecord = (digest: string, record: Record, now: Date): Promise<boolean> =>
  unlessConditionFails(
    new PutCommand({
      TableName: tableName(),
      Item: { ...keys.idempotency(digest), ...record },
      ConditionExpression: `${isAbsent} OR ${isExpired}`,
      ExpressionAttributeValues: { ":nowSeconds": epochSeconds(now) },
    }),
  );

const readRecord = async (digest: string): Promise<Record | undefined> => {
  const { Item } = await dynamoDb.send(
    new GetCommand({ TableName: tableName(), Key: keys.idempotency(digest), ConsistentRead: true }),
  );
  return Item && recordSchema.parse(Item);
};

const takeOver = (digest: string, seen: Record, { attempt, leaseUntil }: Record): Promise<boolean> =>
  unlessConditionFails(
    new UpdateCommand({
      TableName: tableName(),
      Key: keys.idempotency(digest),
      UpdateExpression: "SET attempt = :attempt, leaseUntil = :leaseUntil",
      ConditionExpression: `attempt = :seen AND leaseUntil = :seenUntil AND ${isOpen}`,
      ExpressionAttributeValues: {
        ":attempt": attempt,
        ":leaseUntil": leaseUntil,
        ":seen": seen.attempt,
        ":seenUntil": seen.leaseUntil,
      },
    }),
  );

/** True when it was written, false when its condition did not hold. */
const unlessConditionFails = async (
  command: PutCommand | UpdateCommand | DeleteCommand,
): Promise<boolean> => {
  try {
    await dynamoDb.send(command as PutCommand);
    return true;
  } catch (error) {
    if (error instanceof ConditionalCheckFailedException) return false;
    throw error;
  }
};

const epochSeconds = (time: Date): number => Math.floor(time.getTime() / 1000);
