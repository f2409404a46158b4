import { ConditionalCheckFailedException } from "@aws-sdk/client-dynamodb";
import { DeleteCommand, PutCommand, UpdateCommand } from "@aws-sdk/lib-dynamodb";
import { tombstone } from "../pool/cell.ts";
import type { ErasureStore } from "../pool/erasure.ts";
import { readCells } from "./cells.ts";
import { dynamoDb, tableName } from "./client.ts";
import { addressText, dynamoPoolStore, intentItemAddress } from "./pool-store.ts";
import { queryPages } from "./query-pages.ts";
import { defaultGivenPrefix, keys, partitions, prefixes, tableAttributes } from "./table.ts";

/** Items of a customer that are taken up together. */
const itemsPerPage = 100;

interface Whose {
  readonly erasureId: string;
  readonly promocodeId: string;
  readonly customerId: string;
  /** Epoch seconds at which traces of an erasure that never ends go by themselves. */
  readonly expiresAt: number;
}

/** A default code's record: which one of the customer's of this promocode, and when it was given. */
export interface DefaultRecord {
  readonly which: string;
  readonly timestamp: string;
}

/** A promocode's store as the erasure of one customer sees it. Beside the protocol's steps it knows default records. */
export const dynamoErasureStore = ({ erasureId, promocodeId, customerId, expiresAt }: Whose) => {
  const partition = partitions.customer(customerId);
  const intentPrefix = `${prefixes.intent}${promocodeId}#`;
  const defaultPrefix = `${defaultGivenPrefix}${promocodeId}#`;
  const triggerOf = (sk: string): string | null => {
    const trigger = sk.slice(intentPrefix.length);
    return trigger === "-" ? null : trigger;
  };

  return {
    cells: (addresses) => readCells(promocodeId, addresses),

    async *intents() {
      for await (const items of pagesOf(partition, intentPrefix))
        yield items.map((item) => ({
          holder: { customerId, trigger: triggerOf(String(item.sk)) },
          address: intentItemAddress(item),
        }));
    },

    intent: dynamoPoolStore(promocodeId).intent,

    async *traces() {
      for await (const items of pagesOf(partition, `${prefixes.trace}${promocodeId}#`))
        yield items.map(intentItemAddress);
    },

    async leaveTraces(addresses) {
      await Promise.all(
        addresses.map((address) => {
          const a = addressText(address);
          const key = keys.trace(promocodeId, customerId, a, erasureId);
          const Item = { ...key, a, erasureId, [tableAttributes.timeToLive]: expiresAt };
          return dynamoDb.send(new PutCommand({ TableName: tableName(), Item }));
        }),
      );
    },

    async overwrite({ address, slot, token }) {
      await unlessConditionFails(
        new UpdateCommand({
          TableName: tableName(),
          Key: keys.cell({ promocodeId, ...address }),
          UpdateExpression: `SET u[${slot}] = :tombstone`,
          // Nobody else writes a slot that is taken: refused, it is a tombstone already.
          ConditionExpression: `u[${slot}] = :token`,
          ExpressionAttributeValues: { ":tombstone": tombstone, ":token": token },
        }),
      );
    },

    async removeIntent({ holder, address }) {
      await unlessConditionFails(
        new DeleteCommand({
          TableName: tableName(),
          Key: keys.intent(promocodeId, holder.customerId, holder.trigger),
          ConditionExpression: "a = :seen",
          ExpressionAttributeValues: { ":seen": addressText(address) },
        }),
      );
    },

    /** Records of default codes that the customer got of this promocode, page by page. */
    async *defaultRecords(): AsyncGenerator<readonly DefaultRecord[]> {
      for await (const items of pagesOf(partition, defaultPrefix))
        yield items.map(({ sk, timestamp }) => ({
          which: String(sk).slice(defaultPrefix.length),
          timestamp: String(timestamp),
        }));
    },

    async removeDefaultRecord({ which }: DefaultRecord): Promise<void> {
      await dynamoDb.send(
        new DeleteCommand({
          TableName: tableName(),
          Key: keys.defaultGiven(promocodeId, customerId, which),
        }),
      );
    },
  } satisfies ErasureStore & Record<string, unknown>;
};

/** Removes the traces that the erasure has left, of all promocodes. */
export const forgetTraces = async ({ erasureId, customerId }: Omit<Whose, "promocodeId" | "expiresAt">) => {
  for await (const items of pagesOf(partitions.customer(customerId), prefixes.trace)) {
    const own = items.filter((item) => item.erasureId === erasureId);
    await Promise.all(
      own.map(({ pk, sk }) => dynamoDb.send(new DeleteCommand({ TableName: tableName(), Key: { pk, sk } }))),
    );
  }
};

/** A customer's items, few at a time. */
const pagesOf = (partition: string, prefix: string) => queryPages(partition, prefix, itemsPerPage);

const unlessConditionFails = async (command: UpdateCommand | DeleteCommand): Promise<void> => {
  try {
    await dynamoDb.send(command as UpdateCommand);
  } catch (error) {
    if (!(error instanceof ConditionalCheckFailedException)) throw error;
  }
};
