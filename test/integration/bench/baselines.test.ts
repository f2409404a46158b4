import { CreateTableCommand, DynamoDBClient, waitUntilTableExists } from "@aws-sdk/client-dynamodb";
import { DynamoDBDocumentClient, ScanCommand } from "@aws-sdk/lib-dynamodb";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Contender } from "../../../bench/allocation/contender.ts";
import { Ledger } from "../../../bench/allocation/ledger.ts";
import { takeTurns } from "../../../bench/allocation/take-turns.ts";
import { cursor } from "../../../bench/baselines/cursor.ts";
import { firstAvailable } from "../../../bench/baselines/first-available.ts";
import { randomStart } from "../../../bench/baselines/random-start.ts";
import type { DynamoDbEngine } from "../../../local/dynamodb/engine.ts";
import { customers, someCodes } from "../../support/codes.ts";
import { engines } from "../../support/engines.ts";

type NewContender = (table: Parameters<typeof randomStart>[0], client: DynamoDBDocumentClient) => Contender;

describe.each(engines)("the bench's baselines on $name", ({ start }) => {
  let engine: DynamoDbEngine;
  let client: DynamoDBDocumentClient;
  beforeAll(async () => {
    engine = await start();
    const { endpoint, region, credentials } = engine;
    client = DynamoDBDocumentClient.from(new DynamoDBClient({ endpoint, region, credentials }));
  });
  afterAll(async () => {
    client.destroy();
    await engine.close();
  });

  let table: string;
  let hasIndex: boolean;
  const createTable: Parameters<typeof randomStart>[0]["createTable"] = async (definition) => {
    await client.send(new CreateTableCommand({ ...definition, BillingMode: "PAY_PER_REQUEST" }));
    table = String(definition.TableName);
    hasIndex = definition.GlobalSecondaryIndexes !== undefined;
    const pace = { minDelay: 0.02, maxDelay: 0.2, maxWaitTime: 10 };
    await waitUntilTableExists({ client, ...pace }, { TableName: table });
  };

  /** Until the index shows so many free codes: ExtendDB's lag behind, and what baselines make of that is not tested here. */
  const indexCaughtUp = async (free: number) => {
    const inIndex = new ScanCommand({ TableName: table, IndexName: "free-codes", Select: "COUNT" });
    if (hasIndex)
      await expect.poll(async () => (await client.send(inIndex)).Count, { timeout: 10_000 }).toBe(free);
  };

  /** A pool of 60 codes, and 12 callers. */
  const prepared = async (newContender: NewContender) => {
    const contender = newContender({ createTable }, client);
    await contender.prepare(someCodes(60));
    await indexCaughtUp(60);
    const callers = Array.from({ length: 12 }, () => contender.newCaller());
    const ledger = new Ledger(60);
    const ask = async (wanted: readonly string[]) => {
      const { calls } = await takeTurns(callers, wanted);
      ledger.note(calls);
      return calls;
    };
    return { contender, callers, ledger, ask };
  };

  describe.each([
    { baseline: "first-available", newContender: firstAvailable },
    { baseline: "random-start", newContender: randomStart },
    { baseline: "cursor", newContender: cursor },
  ])("$baseline", ({ newContender }) => {
    it("gives every code to one of many callers, then says that it is dry", async () => {
      const { contender, ledger, ask } = await prepared(newContender);

      await ask(customers(60));
      const full = ledger.check(await contender.stock());
      const late = await ask(customers(3, "late"));

      expect(full).toEqual({ burnt: 0, lost: 0, customersWithTwo: 0, givenTwice: 0, falseDry: 0 });
      expect(ledger.given).toBe(60);
      expect(late.map(({ answer }) => answer)).toEqual(["dry", "dry", "dry"]);
    });

    it("leaves by its fill what calls leave: real calls go on from there to the last code", async () => {
      const { contender, callers, ledger, ask } = await prepared(newContender);

      ledger.note(await contender.fill(customers(40, "filled"), callers));
      const between = await contender.stock();
      await indexCaughtUp(20);
      await ask(customers(20));
      const exactness = ledger.check(await contender.stock());

      expect([between.free, between.holderByCode.size]).toEqual([20, 40]);
      expect(exactness).toEqual({ burnt: 0, lost: 0, customersWithTwo: 0, givenTwice: 0, falseDry: 0 });
      expect(ledger.given).toBe(60);
    });
  });

  it("random-start gives the same code to who asks again, at once or later, and when it is dry", async () => {
    const { contender, ledger, ask } = await prepared(randomStart);
    const wanted = customers(60);

    await ask(wanted.flatMap((customer) => [customer, customer]));
    await ask(wanted);
    await ask(customers(3, "late"));

    const exactness = ledger.check(await contender.stock());
    expect(exactness).toEqual({ burnt: 0, lost: 0, customersWithTwo: 0, givenTwice: 0, falseDry: 0 });
    expect(ledger.given).toBe(60);
  });

  it("cursor gives the same code to who asks again; asked twice at once, it may burn one but never tells two", async () => {
    const { contender, ledger, ask } = await prepared(cursor);

    await ask(customers(20).flatMap((customer) => [customer, customer]));
    const racing = ledger.check(await contender.stock());
    await ask(customers(20));
    const later = ledger.check(await contender.stock());

    expect(racing).toMatchObject({ lost: 0, customersWithTwo: 0, givenTwice: 0, falseDry: 0 });
    expect(later).toEqual(racing);
  });

  it("first-available keeps no record: who asks again gets another code", async () => {
    const { contender, ledger, ask } = await prepared(firstAvailable);

    await ask(customers(10));
    await indexCaughtUp(50);
    await ask(customers(10));

    expect(ledger.check(await contender.stock())).toMatchObject({ customersWithTwo: 10, givenTwice: 0 });
  });
});
