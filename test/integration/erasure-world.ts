import { SendMessageCommand, SQSClient } from "@aws-sdk/client-sqs";
import { ScanCommand } from "@aws-sdk/lib-dynamodb";
import { mockClient } from "aws-sdk-client-mock";
import { ulid } from "ulid";
import type { RunErasureOptions } from "../../functions/run-erasure/run-erasure.ts";
import type { DynamoDbEngine } from "../../local/dynamodb/engine.ts";
import type { Allocation } from "../../shared/contract/allocations.ts";
import type { PersonalizedPromocode } from "../../shared/domain/promocode.ts";
import { type Cell, tombstone } from "../../shared/pool/cell.ts";
import { createTable } from "../support/table.ts";

type Settings = Partial<PersonalizedPromocode["uniqueCodes"]>;

/** So long that a cell holds few of them: a customer with a dozen of codes needs intents. */
export const longCodes = (count: number, prefix = "C"): readonly string[] =>
  Array.from({ length: count }, (_, index) => `${prefix}${String(index).padStart(99, "0")}`);

/** Table and queue of the job that erases persons, and what a test does with them. */
export const anErasureWorld = async (engine: DynamoDbEngine) => {
  Object.assign(process.env, {
    ERASURES_QUEUE_URL: "https://queues.test/erasures",
    CALLS_END_WITHIN_SECONDS: "960",
    POWERTOOLS_METRICS_DISABLED: "true",
  });
  await createTable(engine);
  const sqs = mockClient(SQSClient);

  // Only now: these hold clients, and clients keep the first endpoint that they used.
  const { runErasure } = await import("../../functions/run-erasure/run-erasure.ts");
  const { handler } = await import("../../functions/run-erasure/handler.ts");
  const eraseCustomer = (await import("../../functions/erase-customer/handler.ts")).handler;
  const getErasure = (await import("../../functions/get-erasure/handler.ts")).handler;
  const getCode = (await import("../../functions/get-code/handler.ts")).handler;
  const { erasures } = await import("../../shared/storage/erasures.ts");
  const { promotions } = await import("../../shared/storage/promotions.ts");
  const { promocodes } = await import("../../shared/storage/promocodes.ts");
  const { generationsOf } = await import("../../shared/storage/generations.ts");
  const { cellsOfShard } = await import("../../shared/storage/cells.ts");
  const { dynamoDb, tableName } = await import("../../shared/storage/client.ts");
  const { allocateCode } = await import("../../shared/allocation/allocate-codes.ts");
  const { holdingsOf } = await import("../../shared/allocation/holdings.ts");
  const { intentAddressesOf } = await import("../../shared/storage/intents.ts");
  const { publish } = await import("../support/pool.ts");

  const world = {
    dynamoDb,
    sqs,
    handlers: { eraseCustomer, getErasure, getCode },
    erasures,
    promocodes,
    publish,
    holdingsOf,
    generationsOf,

    /** A promocode in an active promotion, with one file of these codes. */
    async aPromocode(codes: readonly string[], settings: Settings = {}): Promise<PersonalizedPromocode> {
      const promotionId = `prm_${ulid()}`;
      const now = new Date("2026-11-23T00:00:00.000Z");
      const times = { createdAt: now.toISOString(), updatedAt: now.toISOString() };
      await promotions.create({ promotionId, name: "Test", status: "active", ...times }, promotionId);
      const promocodeId = `pcd_${ulid()}`;
      const created = await promocodes.create(
        {
          promocodeId,
          promotionId,
          type: "personalized",
          uniqueCodes: {
            allocationMethod: "Consistent",
            defaultCode: "DEFAULT",
            onExhausted: "default",
            ...settings,
          },
          salt: crypto.randomUUID().replaceAll("-", "").slice(0, 16),
          base: undefined,
          lastGeneration: 0,
          ...times,
        },
        promocodeId,
      );
      return codes.length > 0
        ? publish(created as PersonalizedPromocode, codes)
        : (created as PersonalizedPromocode);
    },

    /** A code by a single call, as the API gives it. */
    async allocate(
      { promocodeId }: Pick<PersonalizedPromocode, "promocodeId">,
      customerId: string,
      { occurenceId, now = new Date() }: { readonly occurenceId?: string; readonly now?: Date } = {},
    ): Promise<Allocation> {
      const given = await allocateCode(
        await promocodes.get(promocodeId),
        { customerId, ...(occurenceId !== undefined && { occurenceId }) },
        { idempotencyKey: undefined, now },
      );
      if (given instanceof Error) throw given;
      return given;
    },

    async anErasure(customerId: string, now = new Date()): Promise<string> {
      const erasureId = `era_${ulid()}`;
      await erasures.create({ erasureId, customerId, now });
      return erasureId;
    },

    /** One run of the job. Calls have ended at once unless told otherwise. */
    async run(erasureId: string, options: Partial<RunErasureOptions> = {}): Promise<string> {
      const { outcome } = await runErasure(erasureId, {
        isLast: false,
        triesAreOver: false,
        timeLeftMs: () => 900_000,
        callsEndWithinMs: 0,
        ...options,
      });
      return outcome;
    },

    /** Runs the job until it is over, as its messages would. */
    async runAll(erasureId: string, options: Partial<RunErasureOptions> = {}): Promise<void> {
      const ends = ["succeeded", "nothing to do"];
      for (let runs = 0; !ends.includes(await world.run(erasureId, options)); runs++)
        if (runs > 20) throw new Error("the erasure does not end");
    },

    /** Gives the function one message; false when it is to be delivered again. */
    async deliver(message: unknown, receives = 1): Promise<boolean> {
      const attributes = { ApproximateReceiveCount: String(receives) };
      const { batchItemFailures } = await handler(
        { Records: [{ messageId: "m", body: JSON.stringify(message), attributes }] },
        { getRemainingTimeInMillis: () => 900_000 },
      );
      return batchItemFailures.length === 0;
    },

    /** Messages that were sent since it was asked last. */
    sentMessages() {
      const sent = sqs.commandCalls(SendMessageCommand).map(({ args: [{ input }] }) => ({
        message: JSON.parse(input.MessageBody ?? "") as unknown,
        delaySeconds: input.DelaySeconds ?? 0,
      }));
      sqs.resetHistory();
      return sent;
    },

    /** An erasure looks through every promocode that there is: few make a test of many erasures short. */
    turnToEmptyTable: () => createTable(engine),

    /** A queue that takes everything and has got nothing yet. */
    mendQueue() {
      sqs.reset();
      sqs.on(SendMessageCommand).resolves({});
    },

    async cellsOf({ promocodeId }: Pick<PersonalizedPromocode, "promocodeId">): Promise<readonly Cell[]> {
      const cells: Cell[] = [];
      for (const generation of await generationsOf(promocodeId))
        for (let shard = 0; shard < generation.shards; shard += 1)
          for await (const page of cellsOfShard(promocodeId, generation, shard)) cells.push(...page);
      return cells;
    },

    intentsOf: async ({ promocodeId }: Pick<PersonalizedPromocode, "promocodeId">, customerId: string) =>
      (await intentAddressesOf(promocodeId, customerId)).length,

    /** Who holds which code, and which are used by nobody any more. */
    async holders(promocode: Pick<PersonalizedPromocode, "promocodeId">) {
      const tokenByCode = new Map<string, string>();
      for (const { codes, tokens } of await world.cellsOf(promocode))
        for (const [slot, token] of tokens.entries()) tokenByCode.set(codes[slot]!, token);
      const erased = [...tokenByCode].filter(([, token]) => token === tombstone).map(([code]) => code);
      return { tokenByCode, erased };
    },

    /** Every item of the table that holds this text anywhere, as DynamoDB has it: keys, values, lists. */
    async itemsWith(text: string): Promise<readonly string[]> {
      const found: string[] = [];
      let ExclusiveStartKey: Record<string, unknown> | undefined;
      do {
        const page = await dynamoDb.send(
          new ScanCommand({
            TableName: tableName(),
            ConsistentRead: true,
            ...(ExclusiveStartKey && { ExclusiveStartKey }),
          }),
        );
        for (const item of page.Items ?? []) {
          const json = JSON.stringify(item, (_, value) => (value instanceof Set ? [...value] : value));
          if (json.includes(text)) found.push(json);
        }
        ExclusiveStartKey = page.LastEvaluatedKey;
      } while (ExclusiveStartKey);
      return found;
    },

    close: () => {
      sqs.restore();
    },
  };
  world.mendQueue();
  return world;
};

export type ErasureWorld = Awaited<ReturnType<typeof anErasureWorld>>;
