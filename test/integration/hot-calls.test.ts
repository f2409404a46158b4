import { ConditionalCheckFailedException } from "@aws-sdk/client-dynamodb";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import type { DynamoDbEngine } from "../../local/dynamodb/engine.ts";
import { engines } from "../support/engines.ts";
import { createTable } from "../support/table.ts";

/** As in a function, where the SDK's middlewares are put together at the first call and kept. */
describe.each(engines)("the hot calls of a function on $name", ({ start }) => {
  let engine: DynamoDbEngine;
  let hot: typeof import("../../shared/storage/hot-calls.ts");
  let client: typeof import("../../shared/storage/client.ts");
  beforeAll(async () => {
    vi.stubEnv("AWS_LAMBDA_FUNCTION_NAME", "allocate-code");
    vi.resetModules();
    engine = await start();
    await createTable(engine);
    hot = await import("../../shared/storage/hot-calls.ts");
    client = await import("../../shared/storage/client.ts");
  });
  afterAll(async () => {
    vi.unstubAllEnvs();
    await engine.close();
  });

  const keyOf = (name: string | number) => ({ pk: `hot#${name}`, sk: "head" });
  const put = (name: string | number, value: unknown) =>
    hot.updateItem(keyOf(name), {
      UpdateExpression: "SET v = :v",
      ExpressionAttributeValues: { ":v": value },
      ReturnValues: "ALL_NEW",
    });

  it("answer each call its own, however many are under way", async () => {
    const names = Array.from({ length: 200 }, (_, name) => name);

    const written = await Promise.all(names.map((name) => put(name, `value ${name}`)));
    const read = await Promise.all(names.map((name) => hot.readFew([keyOf(name), keyOf("nobody's")])));

    const items = names.map((name) => ({ ...keyOf(name), v: `value ${name}` }));
    expect(written).toEqual(items);
    expect(read).toEqual(items.map((item) => [item]));
  });

  it("give and take values as the document client does", async () => {
    const value = {
      text: "x",
      list: [1, "two", null, true],
      of: { constructor: "a name" },
      set: new Set([1, 2]),
    };

    const written = await put("values", { ...value, absent: undefined });

    const { GetCommand } = await import("@aws-sdk/lib-dynamodb");
    const { Item } = await client.dynamoDb.send(
      new GetCommand({ TableName: client.tableName(), Key: keyOf("values"), ConsistentRead: true }),
    );
    expect(written?.v).toEqual(value);
    expect(Item?.v).toEqual(value);
    expect(await hot.readFew([keyOf("values")])).toEqual([Item]);
  });

  it("refuse with the item that broke the condition, and go on afterwards", async () => {
    await put("taken", "first");

    const refusal = hot.updateItem(keyOf("taken"), {
      UpdateExpression: "SET v = :v",
      ConditionExpression: "attribute_not_exists(v)",
      ExpressionAttributeValues: { ":v": "second" },
      ReturnValuesOnConditionCheckFailure: "ALL_OLD",
    });

    await expect(refusal).rejects.toBeInstanceOf(ConditionalCheckFailedException);
    await expect(refusal).rejects.toMatchObject({ Item: { v: { S: "first" } } });
    expect((await put("taken", "third"))?.v).toBe("third");
  });

  it("share the document client's middlewares, so that a meter misses none", () => {
    expect(client.plainDynamoDb.middlewareStack).toBe(client.dynamoDb.middlewareStack);
  });
});
