import { randomBytes } from "node:crypto";
import { ConditionalCheckFailedException } from "@aws-sdk/client-dynamodb";
import { PutCommand } from "@aws-sdk/lib-dynamodb";
import { unmarshall } from "@aws-sdk/util-dynamodb";
import * as z from "zod";
import { dynamoDb, tableName } from "./client.ts";
import { queryAll } from "./query-all.ts";
import { defaultGivenPrefix, keys, partitions } from "./table.ts";

const defaultGivenSchema = z.object({ uniqueCode: z.string(), timestamp: z.string(), contextId: z.string() });

/** A default code that a customer got because the pool was dry. */
export type DefaultGiven = Readonly<z.infer<typeof defaultGivenSchema>>;

/**
 * Keeps that the default code was given; the pool's protocol knows nothing of it. Without a trigger each call is a
 * record of its own. The same trigger again is the same call retried: the first record is answered.
 */
export const recordDefaultGiven = async (
  { promocodeId, customerId, trigger }: DefaultKey,
  given: DefaultGiven,
): Promise<{ readonly given: DefaultGiven; readonly repeated: boolean }> => {
  const which = trigger ?? `${given.timestamp}#${randomBytes(6).toString("base64url")}`;
  try {
    await dynamoDb.send(
      new PutCommand({
        TableName: tableName(),
        Item: { ...keys.defaultGiven(promocodeId, customerId, which), ...given },
        ConditionExpression: "attribute_not_exists(pk)",
        ReturnValuesOnConditionCheckFailure: "ALL_OLD",
      }),
    );
    return { given, repeated: false };
  } catch (error) {
    if (!(error instanceof ConditionalCheckFailedException) || !error.Item) throw error;
    return { given: defaultGivenSchema.parse(unmarshall(error.Item)), repeated: true };
  }
};

interface DefaultKey {
  readonly promocodeId: string;
  readonly customerId: string;
  /** Null when the call cannot be told from another one. */
  readonly trigger: string | null;
}

/** Default codes that the customer got of the promocode, oldest first. */
export const defaultsGivenTo = async (
  promocodeId: string,
  customerId: string,
): Promise<readonly DefaultGiven[]> => {
  const items = await queryAll(partitions.customer(customerId), `${defaultGivenPrefix}${promocodeId}#`);
  return items.map((item) => defaultGivenSchema.parse(item));
};
