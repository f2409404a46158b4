import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { ConditionalCheckFailedException } from "@aws-sdk/client-dynamodb";
import { GetCommand, PutCommand } from "@aws-sdk/lib-dynamodb";
import * as z from "zod";
import { invalidCursor } from "../domain/failures.ts";
import { dynamoDb, tableName } from "./client.ts";
import { keys } from "./table.ts";

/** Bytes of the seal that stands before the position: 128 bits are beyond guessing. */
const sealBytes = 16;

/**
 * A cursor for the list that goes on behind `position`. `list` is the list's name with its filters, such as
 * `promotions?status=active`: no other list takes the cursor. The position can be read by whoever has the cursor.
 */
export const encodeCursor = async (list: string, position: string): Promise<string> =>
  Buffer.concat([await sealOf(list, position), Buffer.from(position)]).toString("base64url");

/** The position in a cursor that `encodeCursor` made for this list. Any other one: `invalid-cursor`. */
export const decodeCursor = async (list: string, cursor: string): Promise<string> => {
  const bytes = Buffer.from(cursor, "base64url");
  // Node's decoder passes over what is no base64url, and there is more than one spelling of the last character.
  if (bytes.length < sealBytes || bytes.toString("base64url") !== cursor) throw invalidCursor();
  const position = bytes.subarray(sealBytes).toString();
  if (!timingSafeEqual(bytes.subarray(0, sealBytes), await sealOf(list, position))) throw invalidCursor();
  return position;
};

const sealOf = async (list: string, position: string): Promise<Buffer> =>
  createHmac("sha256", await secret())
    .update(JSON.stringify([list, position]))
    .digest()
    .subarray(0, sealBytes);

let knownSecret: { readonly table: string; readonly value: string } | undefined;

const secretItemSchema = z.object({ secret: z.string().min(32) });

/** The service's own secret, made by whoever needs it first and the same for all. */
const secret = async (): Promise<string> => {
  if (knownSecret?.table !== tableName())
    knownSecret = { table: tableName(), value: (await readSecret()) ?? (await createSecret()) };
  return knownSecret.value;
};

const readSecret = async (): Promise<string | undefined> => {
  const { Item } = await dynamoDb.send(
    new GetCommand({ TableName: tableName(), Key: keys.cursorSecret(), ConsistentRead: true }),
  );
  return Item && secretItemSchema.parse(Item).secret;
};

const createSecret = async (): Promise<string> => {
  const made = randomBytes(32).toString("base64url");
  try {
    await dynamoDb.send(
      new PutCommand({
        TableName: tableName(),
        Item: { ...keys.cursorSecret(), secret: made },
        ConditionExpression: "attribute_not_exists(pk)",
      }),
    );
    return made;
  } catch (error) {
    if (!(error instanceof ConditionalCheckFailedException)) throw error;
    const stored = await readSecret();
    if (stored === undefined) throw new Error("the secret of the cursors vanished while it was read");
    return stored;
  }
};
