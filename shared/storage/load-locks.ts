import { randomUUID } from "node:crypto";
import { ConditionalCheckFailedException } from "@aws-sdk/client-dynamodb";
import { GetCommand, UpdateCommand } from "@aws-sdk/lib-dynamodb";
import { unmarshall } from "@aws-sdk/util-dynamodb";
import * as z from "zod";
import { dynamoDb, tableName } from "./client.ts";
import { keys } from "./table.ts";

/** How long a lock outlives the last sign of its owner, in milliseconds. */
export const lockLifeMs = 60_000;
const beatEveryMs = 15_000;

const itemSchema = z.object({
  /** The file that is being loaded under it. */
  owner: z.string(),
  /** Milliseconds since 1970; 0 once it was released. */
  deadline: z.number(),
  /** Grows with every owner and never shrinks: the item is never deleted. */
  fence: z.int(),
  /** Of the run that holds it, which knows itself by it. */
  nonce: z.string(),
});

/** The run was too slow to keep its lock, and another one may load now: it must stop and publish nothing. */
export class LockLost extends Error {
  override readonly name = "LockLost";
}

/**
 * The right to load a file of a promocode, one file at a time. Its fence is unique per promocode for ever.
 *
 *     fence 7 held ---- beats ---- (pause) -- deadline -- 8 takes over ---- 8 publishes
 *                                                  7 wakes up, writes cells of attempt 7: nobody reads them,
 *                                                  wants to publish: refused, the lock's fence is 8
 */
export interface LoadLock {
  readonly fence: number;
  /** Aborted, with `LockLost`, as soon as this process knows. Publication checks the fence itself. */
  readonly signal: AbortSignal;
  /** Lets the next run in. Does nothing when the lock was lost. */
  release(): Promise<void>;
}

const itIsFree = "attribute_not_exists(deadline) OR deadline < :now";
const itIsOurs = "fence = :fence";

/** The lock, with a heartbeat that keeps it; undefined when another run has it. */
export const acquireLoadLock = async (
  promocodeId: string,
  owner: string,
  now: () => number = Date.now,
): Promise<LoadLock | undefined> => {
  const fence = await take(promocodeId, owner, now());
  if (fence === undefined) return undefined;

  const lost = new AbortController();
  let deadline = now() + lockLifeMs;
  const beat = async () => {
    try {
      const next = now() + lockLifeMs;
      await setDeadline(promocodeId, fence, next);
      deadline = next;
    } catch (error) {
      if (error instanceof ConditionalCheckFailedException || now() > deadline)
        lost.abort(new LockLost(`lost the load lock of ${promocodeId} with fence ${fence}`));
    }
  };
  let beating = Promise.resolve();
  const timer = setInterval(() => {
    beating = beat();
  }, beatEveryMs);
  timer.unref();

  return {
    fence,
    signal: lost.signal,
    release: async () => {
      clearInterval(timer);
      // A beat under way would land behind the release and hold the lock for another minute.
      await beating;
      try {
        await setDeadline(promocodeId, fence, 0);
      } catch (error) {
        if (!(error instanceof ConditionalCheckFailedException)) throw error;
      }
    },
  };
};

/** The file that a living run is loading for this promocode now. */
export const fileBeingLoaded = async (promocodeId: string, now: Date): Promise<string | undefined> => {
  const { Item } = await dynamoDb.send(
    new GetCommand({ TableName: tableName(), Key: keys.loadLock(promocodeId), ConsistentRead: true }),
  );
  const lock = Item && itemSchema.parse(Item);
  return lock && lock.deadline >= now.getTime() ? lock.owner : undefined;
};

/** For a transaction: nothing of it happens once the lock has another owner. */
export const lockIsStillHeld = (promocodeId: string, fence: number) => ({
  ConditionCheck: {
    TableName: tableName(),
    Key: keys.loadLock(promocodeId),
    ConditionExpression: itIsOurs,
    ExpressionAttributeValues: { ":fence": fence },
  },
});

const take = async (promocodeId: string, owner: string, now: number): Promise<number | undefined> => {
  const nonce = randomUUID();
  try {
    const { Attributes } = await dynamoDb.send(
      new UpdateCommand({
        TableName: tableName(),
        Key: keys.loadLock(promocodeId),
        UpdateExpression: "SET #owner = :owner, deadline = :deadline, nonce = :nonce ADD fence :one",
        ConditionExpression: itIsFree,
        ExpressionAttributeNames: { "#owner": "owner" },
        ExpressionAttributeValues: {
          ":owner": owner,
          ":deadline": now + lockLifeMs,
          ":now": now,
          ":one": 1,
          ":nonce": nonce,
        },
        ReturnValues: "ALL_NEW",
        ReturnValuesOnConditionCheckFailure: "ALL_OLD",
      }),
    );
    return itemSchema.parse(Attributes).fence;
  } catch (error) {
    if (!(error instanceof ConditionalCheckFailedException)) throw error;
    // The answer may have got lost, and the SDK's own repetition was refused by what the first try did.
    const holder = error.Item && itemSchema.parse(unmarshall(error.Item));
    return holder?.nonce === nonce ? holder.fence : undefined;
  }
};

const setDeadline = async (promocodeId: string, fence: number, deadline: number): Promise<void> => {
  await dynamoDb.send(
    new UpdateCommand({
      TableName: tableName(),
      Key: keys.loadLock(promocodeId),
      UpdateExpression: "SET deadline = :deadline",
      ConditionExpression: itIsOurs,
      ExpressionAttributeValues: { ":fence": fence, ":deadline": deadline },
    }),
  );
};
