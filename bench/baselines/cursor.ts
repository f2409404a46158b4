import { randomUUID } from "node:crypto";
import { ConditionalCheckFailedException } from "@aws-sdk/client-dynamodb";
import { type DynamoDBDocumentClient, GetCommand, PutCommand, UpdateCommand } from "@aws-sdk/lib-dynamodb";
import { unmarshall } from "@aws-sdk/util-dynamodb";
import { type Caller, type Contender, givenTo, type Stock } from "../allocation/contender.ts";
import { allItems, putItems } from "../allocation/items.ts";
import type { BenchTable } from "../lib/engine.ts";

const codePrefix = "code#";
const codeKey = (number: number) => ({ pk: `${codePrefix}${number}` });
const customerKey = (customerId: string) => ({ pk: `customer#${customerId}` });
const counterKey = { pk: "counter" };

/**
 * Numbered codes and an atomic counter that says which is next; the code is then marked with its customer, and a record
 * of the customer answers those who ask again.
 *
 * At its best always: four calls, three units written, one read, from the first code to the last, and nobody is ever
 * refused. Its price is elsewhere: every call writes the counter, one item, and DynamoDB takes 1,000 writes a second to
 * an item; who has a code in hand needs an index more; and a number that was drawn is gone, so a crash, or a customer
 * who asks twice at once, burns a code.
 */
export const cursor = (
  { createTable }: Pick<BenchTable, "createTable">,
  client: DynamoDBDocumentClient,
): Contender => {
  let table = "";
  let codes: readonly string[] = [];

  const recordedCode = async (customerId: string): Promise<string | undefined> => {
    const { Item } = await client.send(
      new GetCommand({ TableName: table, Key: customerKey(customerId), ConsistentRead: true }),
    );
    return Item?.code as string | undefined;
  };

  /** The number that is this caller's alone; undefined when all were drawn. */
  const draw = async (): Promise<number | undefined> => {
    try {
      const { Attributes } = await client.send(
        new UpdateCommand({
          TableName: table,
          Key: counterKey,
          UpdateExpression: "ADD drawn :one",
          ConditionExpression: "drawn < codes",
          ExpressionAttributeValues: { ":one": 1 },
          ReturnValues: "UPDATED_NEW",
        }),
      );
      return Number(Attributes?.drawn) - 1;
    } catch (error) {
      if (error instanceof ConditionalCheckFailedException) return undefined;
      throw error;
    }
  };

  const mark = async (number: number, customerId: string): Promise<string> => {
    const { Attributes } = await client.send(
      new UpdateCommand({
        TableName: table,
        Key: codeKey(number),
        UpdateExpression: "SET customerId = :customer, allocatedAt = :now",
        ExpressionAttributeValues: { ":customer": customerId, ":now": Date.now() },
        ReturnValues: "ALL_NEW",
      }),
    );
    return String(Attributes?.code);
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
      if (!(error instanceof ConditionalCheckFailedException) || !error.Item) throw error;
      return String(unmarshall(error.Item).code);
    }
  };

  const allocate: Caller = async (customerId) => {
    const held = await recordedCode(customerId);
    if (held !== undefined) return { code: held };
    const number = await draw();
    if (number === undefined) return "dry";
    return { code: await record(customerId, await mark(number, customerId)) };
  };

  const setCounter = (drawn: number) =>
    client.send(new PutCommand({ TableName: table, Item: { ...counterKey, drawn, codes: codes.length } }));

  const drawnSoFar = async (): Promise<number> => {
    const { Item } = await client.send(
      new GetCommand({ TableName: table, Key: counterKey, ConsistentRead: true }),
    );
    return Number(Item?.drawn);
  };

  return {
    name: "cursor",

    async prepare(given) {
      table = `cursor-${randomUUID()}`;
      codes = given;
      await createTable({
        TableName: table,
        AttributeDefinitions: [{ AttributeName: "pk", AttributeType: "S" }],
        KeySchema: [{ AttributeName: "pk", KeyType: "HASH" }],
      });
      await putItems(
        client,
        table,
        codes.map((code, number) => ({ ...codeKey(number), code })),
      );
      await setCounter(0);
    },

    newCaller: () => allocate,

    async fill(customers) {
      const drawn = await drawnSoFar();
      const taken = codes.slice(drawn, drawn + customers.length);
      await putItems(
        client,
        table,
        taken.flatMap((code, at) => [
          { ...codeKey(drawn + at), code, customerId: customers[at], allocatedAt: Date.now() },
          { ...customerKey(customers[at]!), code },
        ]),
      );
      await setCounter(drawn + taken.length);
      return givenTo(customers, taken);
    },

    async stock(): Promise<Stock> {
      const holderByCode = new Map<string, string>();
      for await (const { pk, code, customerId } of allItems(client, table))
        if (String(pk).startsWith(codePrefix) && customerId !== undefined)
          holderByCode.set(String(code), String(customerId));
      return { free: codes.length - (await drawnSoFar()), holderByCode };
    },
  };
};
