import { randomBytes, randomUUID } from "node:crypto";
import { ConditionalCheckFailedException } from "@aws-sdk/client-dynamodb";
import {
  type DynamoDBDocumentClient,
  GetCommand,
  PutCommand,
  paginateQuery,
  QueryCommand,
  UpdateCommand,
} from "@aws-sdk/lib-dynamodb";
import { unmarshall } from "@aws-sdk/util-dynamodb";
import { type Caller, type Contender, givenTo, type Stock } from "../allocation/contender.ts";
import { allItems, putItems } from "../allocation/items.ts";
import type { BenchTable } from "../lib/engine.ts";

const pool = "pcd_01KA5S1B3M9K7T5R2C8VQ0WDXE";
const codePrefix = "code#";
const codeKey = (code: string) => ({ pk: `${codePrefix}${code}` });
const customerKey = (customerId: string) => ({ pk: `customer#${customerId}` });

/** 32 bits in hex: where a code lies in the index, whatever codes look like. */
const aPlace = (): string => randomBytes(4).toString("hex");

/** The code in the record that refused a write of it. */
const codeThatRefused = (error: unknown): string => {
  if (!(error instanceof ConditionalCheckFailedException) || !error.Item) throw error;
  return String(unmarshall(error.Item).code);
};

/**
 * An item per code and a sparse index of the free ones, entered at a random place, and a record for each customer so
 * that asking again gives the same code. Exact without a transaction, which would cost two units more: the record is
 * put first and names the code that the customer is about to take; only that one is taken for them, on condition that
 * it is free or theirs; when it was lost, the record moves on by compare-and-set.
 *
 * At its best while many codes are free: three calls, three units written (record, code, index), half a unit read,
 * and nobody in anybody's way. As they get fewer, callers meet at the same ones, and a lost code costs a write refused
 * and the record another. On DynamoDB all free codes lie under one key of the index, which takes 1,000 writes a second.
 */
export const randomStart = (
  { createTable }: Pick<BenchTable, "createTable">,
  client: DynamoDBDocumentClient,
): Contender => {
  let table = "";

  const firstFree = async (condition: string, place: string): Promise<string | undefined> => {
    const { Items } = await client.send(
      new QueryCommand({
        TableName: table,
        IndexName: "free-codes",
        KeyConditionExpression: `freeIn = :pool AND place ${condition} :place`,
        ExpressionAttributeValues: { ":pool": pool, ":place": place },
        Limit: 1,
      }),
    );
    const pk = Items?.[0]?.pk as string | undefined;
    return pk?.slice(codePrefix.length);
  };

  const anyFree = async (): Promise<string | undefined> => {
    const place = aPlace();
    return (await firstFree(">=", place)) ?? (await firstFree("<", place));
  };

  const recordedCode = async (customerId: string): Promise<string | undefined> => {
    const { Item } = await client.send(
      new GetCommand({ TableName: table, Key: customerKey(customerId), ConsistentRead: true }),
    );
    return Item?.code as string | undefined;
  };

  /** Puts the record if there is none; answers the code that the record names then. */
  const record = async (customerId: string, code: string): Promise<string> => {
    try {
      await client.send(
        new PutCommand({
          TableName: table,
          Item: { ...customerKey(customerId), code },
          ConditionExpression: "attribute_not_exists(pk)",
          ReturnValuesOnConditionCheckFailure: "ALL_OLD",
        }),
      );
      return code;
    } catch (error) {
      return codeThatRefused(error);
    }
  };

  /** Moves the record if it still names the code that was lost; answers the code that it names then. */
  const move = async (customerId: string, lost: string, code: string): Promise<string> => {
    try {
      await client.send(
        new UpdateCommand({
          TableName: table,
          Key: customerKey(customerId),
          UpdateExpression: "SET code = :code",
          ConditionExpression: "code = :lost",
          ExpressionAttributeValues: { ":code": code, ":lost": lost },
          ReturnValuesOnConditionCheckFailure: "ALL_OLD",
        }),
      );
      return code;
    } catch (error) {
      return codeThatRefused(error);
    }
  };

  const take = async (code: string, customerId: string): Promise<boolean> => {
    try {
      await client.send(
        new UpdateCommand({
          TableName: table,
          Key: codeKey(code),
          UpdateExpression: "SET customerId = :customer, allocatedAt = :now REMOVE freeIn, place",
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

  const allocate: Caller = async (customerId) => {
    const candidate = await anyFree();
    let code = candidate === undefined ? await recordedCode(customerId) : await record(customerId, candidate);
    while (code !== undefined) {
      if (await take(code, customerId)) return { code };
      const next = await anyFree();
      if (next === undefined) {
        const stored = await recordedCode(customerId);
        // Another call of this customer may have moved the record to a code that it got.
        code = stored === code ? undefined : stored;
      } else code = await move(customerId, code, next);
    }
    return "dry";
  };

  return {
    name: "random-start",

    async prepare(codes) {
      table = `random-start-${randomUUID()}`;
      await createTable({
        TableName: table,
        AttributeDefinitions: ["pk", "freeIn", "place"].map((name) => ({
          AttributeName: name,
          AttributeType: "S" as const,
        })),
        KeySchema: [{ AttributeName: "pk", KeyType: "HASH" }],
        GlobalSecondaryIndexes: [
          {
            IndexName: "free-codes",
            KeySchema: [
              { AttributeName: "freeIn", KeyType: "HASH" },
              { AttributeName: "place", KeyType: "RANGE" },
            ],
            Projection: { ProjectionType: "KEYS_ONLY" },
          },
        ],
      });
      await putItems(
        client,
        table,
        codes.map((code) => ({ ...codeKey(code), freeIn: pool, place: aPlace() })),
      );
    },

    newCaller: () => allocate,

    async fill(customers) {
      const free: { readonly code: string; readonly order: number }[] = [];
      for await (const page of paginateQuery(
        { client },
        {
          TableName: table,
          IndexName: "free-codes",
          KeyConditionExpression: "freeIn = :pool",
          ExpressionAttributeValues: { ":pool": pool },
        },
      ))
        for (const { pk } of page.Items ?? [])
          free.push({ code: String(pk).slice(codePrefix.length), order: Math.random() });
      free.sort((one, other) => one.order - other.order);
      const taken = free.slice(0, customers.length).map(({ code }) => code);
      await putItems(
        client,
        table,
        taken.flatMap((code, at) => [
          { ...codeKey(code), customerId: customers[at], allocatedAt: Date.now() },
          { ...customerKey(customers[at]!), code },
        ]),
      );
      return givenTo(customers, taken);
    },

    async stock(): Promise<Stock> {
      const holderByCode = new Map<string, string>();
      let free = 0;
      for await (const { pk, customerId, freeIn } of allItems(client, table)) {
        if (freeIn !== undefined) free += 1;
        if (customerId !== undefined)
          holderByCode.set(String(pk).slice(codePrefix.length), String(customerId));
      }
      return { free, holderByCode };
    },
  };
};
