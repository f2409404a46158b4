import { randomUUID } from "node:crypto";
import { ConditionalCheckFailedException } from "@aws-sdk/client-dynamodb";
import {
  type DynamoDBDocumentClient,
  paginateQuery,
  QueryCommand,
  UpdateCommand,
} from "@aws-sdk/lib-dynamodb";
import { type Caller, type Contender, givenTo, type Stock } from "../allocation/contender.ts";
import { allItems, putItems } from "../allocation/items.ts";
import type { BenchTable } from "../lib/engine.ts";
import { indexedCodeTable } from "./item-per-code.ts";

const pool = "pcd_01KA5S1B3M9K7T5R2C8VQ0WDXE";
const freeCodes = {
  IndexName: "free-codes",
  KeyConditionExpression: "freeIn = :pool",
  ExpressionAttributeValues: { ":pool": pool },
};

/**
 * An item per code and a sparse index of the free ones: take the first, on condition that it is still free, which
 * removes it from the index; whoever comes too late looks again. On the table that `item-per-code` loads.
 *
 * At its best with one caller: two calls, two units written, half a unit read. Side by side all callers want the same
 * code, and all but one pay for a refused write. There is no record of the customer: who asks again gets another code.
 * This engine's index never lags; on DynamoDB it does, and shows codes that are gone already.
 */
export const firstAvailable = (
  { createTable }: Pick<BenchTable, "createTable">,
  client: DynamoDBDocumentClient,
): Contender => {
  let table = "";

  const take = async (code: string, customerId: string): Promise<boolean> => {
    try {
      await client.send(
        new UpdateCommand({
          TableName: table,
          Key: { promocodeId: pool, code },
          UpdateExpression: "SET customerId = :customer, allocatedAt = :now REMOVE freeIn",
          // The second half: what the SDK sends again after a lost answer finds its own work.
          ConditionExpression: "attribute_exists(freeIn) OR customerId = :customer",
          ExpressionAttributeValues: { ":customer": customerId, ":now": Date.now() },
        }),
      );
      return true;
    } catch (error) {
      if (error instanceof ConditionalCheckFailedException) return false;
      throw error;
    }
  };

  const allocate: Caller = async (customerId, signal) => {
    while (!signal?.aborted) {
      const { Items } = await client.send(new QueryCommand({ TableName: table, ...freeCodes, Limit: 1 }));
      const code = Items?.[0]?.code as string | undefined;
      if (code === undefined) return "dry";
      if (await take(code, customerId)) return { code };
    }
    return "given up";
  };

  return {
    name: "first-available",

    async prepare(codes) {
      table = `first-available-${randomUUID()}`;
      await createTable(indexedCodeTable(table));
      await putItems(
        client,
        table,
        codes.map((code) => ({ promocodeId: pool, code, freeIn: pool })),
      );
    },

    newCaller: () => allocate,

    async fill(customers) {
      const free: string[] = [];
      for await (const page of paginateQuery({ client }, { TableName: table, ...freeCodes })) {
        free.push(...(page.Items ?? []).map(({ code }) => code as string));
        if (free.length >= customers.length) break;
      }
      const taken = free.slice(0, customers.length);
      await putItems(
        client,
        table,
        taken.map((code, at) => ({
          promocodeId: pool,
          code,
          customerId: customers[at],
          allocatedAt: Date.now(),
        })),
      );
      return givenTo(customers, taken);
    },

    async stock(): Promise<Stock> {
      const holderByCode = new Map<string, string>();
      let free = 0;
      for await (const { code, customerId, freeIn } of allItems(client, table)) {
        if (freeIn !== undefined) free += 1;
        if (customerId !== undefined) holderByCode.set(String(code), String(customerId));
      }
      return { free, holderByCode };
    },
  };
};
