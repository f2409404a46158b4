import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { ConditionalCheckFailedException } from "@aws-sdk/client-dynamodb";
import { GetCommand, PutCommand, UpdateCommand } from "@aws-sdk/lib-dynamodb";
import { ulid } from "ulid";
import * as z from "zod";
import { type Scope, scopes } from "../contract/route.ts";
import { dynamoDb, tableName } from "./client.ts";
import { queryAll } from "./query-all.ts";
import { keys, partitions } from "./table.ts";

/** SHA-256 is enough for a secret of 256 random bits: there is nothing to guess, so nothing to slow down. */
const itemSchema = z.object({
  keyId: z.string(),
  name: z.string(),
  scopes: z.array(z.enum(scopes)).min(1),
  /** Hex SHA-256 of the whole key. */
  hash: z.string(),
  /** Keys from before rotations that still work for a while. */
  previous: z.array(z.object({ hash: z.string(), validUntil: z.string() })),
  createdAt: z.string(),
  rotatedAt: z.string().optional(),
  revokedAt: z.string().optional(),
});
type ApiKeyItem = z.infer<typeof itemSchema>;

/** What may be told of a key: not its hash. Times are ISO. */
export interface ApiKey {
  readonly keyId: string;
  readonly name: string;
  readonly scopes: readonly Scope[];
  readonly createdAt: string;
  readonly rotatedAt?: string | undefined;
  readonly revokedAt?: string | undefined;
}

/** A key as it is told once, to whoever made it: only its hash is stored. */
export interface NewApiKey {
  readonly keyId: string;
  /** `cwk_`, a ULID, `_` and 43 characters: what goes into `X-API-KEY`. */
  readonly secret: string;
}

/** Somebody tried to change a key that is not there, or no longer. The message says which. */
export class ApiKeyGone extends Error {
  override readonly name = "ApiKeyGone";
}

export const createApiKey = async ({
  name,
  scopes,
  now,
}: {
  readonly name: string;
  readonly scopes: readonly Scope[];
  readonly now: Date;
}): Promise<NewApiKey> => {
  const id = ulid(now.getTime());
  const keyId = `key_${id}`;
  const secret = secretFor(keyId);
  const item: ApiKeyItem = itemSchema.parse({
    keyId,
    name,
    scopes,
    hash: hashOf(secret),
    previous: [],
    createdAt: now.toISOString(),
  });
  await dynamoDb.send(
    new PutCommand({
      TableName: tableName(),
      Item: { ...keys.apiKey(keyId), ...item },
      ConditionExpression: "attribute_not_exists(pk) OR #hash = :hash",
      ExpressionAttributeNames: { "#hash": "hash" },
      ExpressionAttributeValues: { ":hash": item.hash },
    }),
  );
  return { keyId, secret };
};

/** All keys, revoked ones too, by age. */
export const listApiKeys = async (): Promise<readonly ApiKey[]> =>
  (await queryAll(partitions.apiKeys, "key_")).map((item) => describe(itemSchema.parse(item)));

/**
 * A new secret for the same key: id, name, scopes and rate limit stay. The one before works for `graceSeconds` more.
 * Throws `ApiKeyGone` when there is no such key or it is revoked.
 */
export const rotateApiKey = async (
  keyId: string,
  { graceSeconds, now }: { readonly graceSeconds: number; readonly now: Date },
): Promise<NewApiKey> => {
  const secret = secretFor(keyId);
  for (;;) {
    const item = await readItem(keyId);
    if (!item || item.revokedAt) throw new ApiKeyGone(goneMessage(keyId, item));
    const validUntil = new Date(now.getTime() + graceSeconds * 1000).toISOString();
    const previous = [
      ...item.previous.filter((old) => old.validUntil > now.toISOString()),
      { hash: item.hash, validUntil },
    ];
    const rotated = await updateUnlessChanged(item, {
      UpdateExpression: "SET #hash = :hash, previous = :previous, rotatedAt = :now",
      ExpressionAttributeValues: {
        ":hash": hashOf(secret),
        ":previous": previous,
        ":now": now.toISOString(),
      },
    });
    if (rotated) return { keyId, secret };
  }
};

/**
 * Ends the key, with all secrets that it ever had, for good. One that is revoked already stays as it is. Answers the
 * key. Throws `ApiKeyGone` when there is none.
 */
export const revokeApiKey = async (keyId: string, { now }: { readonly now: Date }): Promise<ApiKey> => {
  for (;;) {
    const item = await readItem(keyId);
    if (!item) throw new ApiKeyGone(goneMessage(keyId, item));
    if (item.revokedAt) return describe(item);
    const revokedAt = now.toISOString();
    const revoked = await updateUnlessChanged(item, {
      UpdateExpression: "SET revokedAt = :now, previous = :none",
      ExpressionAttributeValues: { ":now": revokedAt, ":none": [] },
    });
    if (revoked) return describe({ ...item, revokedAt });
  }
};

/** The key that was presented, or undefined: unknown, altered, revoked, or rotated away longer ago than its grace. */
export const findApiKey = async (presented: string, now: Date): Promise<ApiKey | undefined> => {
  const id = /^cwk_([0-9A-HJKMNP-TV-Z]{26})_[A-Za-z0-9_-]{43}$/.exec(presented)?.[1];
  if (id === undefined) return undefined;
  const item = await readItem(`key_${id}`);
  if (!item || item.revokedAt) return undefined;
  const valid = [
    item.hash,
    ...item.previous.filter(({ validUntil }) => validUntil > now.toISOString()).map(({ hash }) => hash),
  ];
  const hash = Buffer.from(hashOf(presented), "hex");
  // Compares with all of them, so that the time tells nothing.
  const matches = valid.map((known) => timingSafeEqual(hash, Buffer.from(known, "hex")));
  return matches.includes(true) ? describe(item) : undefined;
};

const secretFor = (keyId: string): string =>
  `cwk_${keyId.slice("key_".length)}_${randomBytes(32).toString("base64url")}`;

const hashOf = (secret: string): string => createHash("sha256").update(secret).digest("hex");

const describe = ({ keyId, name, scopes, createdAt, rotatedAt, revokedAt }: ApiKeyItem): ApiKey => ({
  keyId,
  name,
  scopes,
  createdAt,
  rotatedAt,
  revokedAt,
});

const goneMessage = (keyId: string, item: ApiKeyItem | undefined): string =>
  item ? `Key ${keyId} was revoked at ${item.revokedAt}.` : `There is no key ${keyId}.`;

const readItem = async (keyId: string): Promise<ApiKeyItem | undefined> => {
  const { Item } = await dynamoDb.send(
    new GetCommand({ TableName: tableName(), Key: keys.apiKey(keyId), ConsistentRead: true }),
  );
  return Item && itemSchema.parse(Item);
};

/** False when another command changed the key in between. */
const updateUnlessChanged = async (
  { keyId, hash }: ApiKeyItem,
  update: { readonly UpdateExpression: string; readonly ExpressionAttributeValues: Record<string, unknown> },
): Promise<boolean> => {
  try {
    await dynamoDb.send(
      new UpdateCommand({
        TableName: tableName(),
        Key: keys.apiKey(keyId),
        UpdateExpression: update.UpdateExpression,
        ConditionExpression: "#hash = :seen AND attribute_not_exists(revokedAt)",
        ExpressionAttributeNames: { "#hash": "hash" },
        ExpressionAttributeValues: { ...update.ExpressionAttributeValues, ":seen": hash },
      }),
    );
    return true;
  } catch (error) {
    if (error instanceof ConditionalCheckFailedException) return false;
    throw error;
  }
};
