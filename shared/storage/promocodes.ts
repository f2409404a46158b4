import { ConditionalCheckFailedException } from "@aws-sdk/client-dynamodb";
import { GetCommand, type TransactWriteCommandInput, UpdateCommand } from "@aws-sdk/lib-dynamodb";
import * as z from "zod";
import { allocationMethods, type UniqueCodes } from "../contract/promocodes.ts";
import type { Promotion } from "../contract/promotions.ts";
import {
  codeTaken,
  idTaken,
  notPersonalized,
  promocodeNotFound,
  promotionArchived,
  promotionNotFound,
} from "../domain/failures.ts";
import type { PersonalizedPromocode, StoredPromocode } from "../domain/promocode.ts";
import { batchGet } from "./batch-get.ts";
import { dynamoDb, tableName } from "./client.ts";
import { decodeCursor } from "./cursors.ts";
import { readFew } from "./hot-calls.ts";
import { LeastRecentlyUsed } from "./least-recently-used.ts";
import { listPage } from "./list-page.ts";
import { promotionOf, promotions } from "./promotions.ts";
import { keys, partitions } from "./table.ts";
import { conditionFailed, transactWrite } from "./transact-write.ts";

const commonFields = {
  promocodeId: z.string(),
  promotionId: z.string(),
  createdAt: z.string(),
  updatedAt: z.string(),
  /** The request that created it, so that a retry knows its own. */
  createdBy: z.string(),
};

/** The settings stand beside each other, not in a map, so that one update can change any of them by itself. */
const itemSchema = z.discriminatedUnion("type", [
  z.object({ type: z.literal("global"), ...commonFields, code: z.string() }),
  z.object({
    type: z.literal("personalized"),
    ...commonFields,
    allocationMethod: z.enum(allocationMethods),
    defaultCode: z.string(),
    onExhausted: z.enum(["default", "refuse"]),
    lowPoolThreshold: z.number().optional(),
    lowPoolPercent: z.number().optional(),
    salt: z.string().length(16),
    base: z.number().optional(),
    lastGeneration: z.number(),
  }),
]);
type PromocodeItem = z.infer<typeof itemSchema>;

const promocodeOf = (item: PromocodeItem): StoredPromocode => {
  const { promocodeId, promotionId, createdAt, updatedAt } = item;
  const common = { promocodeId, promotionId, createdAt, updatedAt };
  if (item.type === "global") return { ...common, type: item.type, code: item.code };
  const { allocationMethod, defaultCode, onExhausted, lowPoolThreshold, lowPoolPercent } = item;
  return {
    ...common,
    type: item.type,
    uniqueCodes: {
      allocationMethod,
      defaultCode,
      onExhausted,
      ...(lowPoolThreshold !== undefined && { lowPoolThreshold }),
      ...(lowPoolPercent !== undefined && { lowPoolPercent }),
    },
    salt: item.salt,
    base: item.base,
    lastGeneration: item.lastGeneration,
  };
};

const itemOf = (promocode: StoredPromocode, createdBy: string): PromocodeItem => {
  if (promocode.type === "global") return { ...promocode, createdBy };
  const { uniqueCodes, ...head } = promocode;
  return { ...head, ...uniqueCodes, createdBy };
};

const exists = "attribute_exists(pk)";
const isAbsent = "attribute_not_exists(pk)";

export const promocodes = {
  /**
   * Stores a new promocode, attached to its promotion, in one transaction. `createdBy` names the request: if it has
   * created this very promocode before, that one is answered.
   */
  async create(promocode: StoredPromocode, createdBy: string): Promise<StoredPromocode> {
    const { promocodeId, promotionId } = promocode;
    const put = (item: Record<string, unknown>, onlyIfAbsent: boolean): TransactItem => ({
      Put: {
        TableName: tableName(),
        Item: item,
        ...(onlyIfAbsent && { ConditionExpression: isAbsent }),
      },
    });
    const refusals = await transactWrite([
      {
        ConditionCheck: {
          TableName: tableName(),
          Key: keys.promotion(promotionId),
          ConditionExpression: `${exists} AND #status <> :archived`,
          ExpressionAttributeNames: { "#status": "status" },
          ExpressionAttributeValues: { ":archived": "archived" },
          ReturnValuesOnConditionCheckFailure: "ALL_OLD",
        },
      },
      put({ ...keys.promocode(promocodeId), ...itemOf(promocode, createdBy) }, true),
      ...(promocode.type === "global"
        ? [put({ ...keys.globalCode(promocode.code), promocodeId }, true)]
        : []),
      put({ ...keys.promocodeEntry(promocodeId), promocodeId }, false),
      put({ ...keys.promocodeOfPromotion(promotionId, promocodeId), promocodeId }, false),
    ]);
    if (!refusals) return promocode;

    const stored = await readItem(promocodeId);
    if (stored?.createdBy === createdBy) return promocodeOf(stored);
    const [promotion, head] = refusals;
    if (conditionFailed(promotion))
      throw promotion?.Item ? promotionArchived(promotionId) : promotionNotFound(promotionId);
    throw conditionFailed(head) ? idTaken(promocodeId) : codeTaken();
  },

  /** Strongly consistent; `promocode-not-found` when there is none. */
  async get(promocodeId: string): Promise<StoredPromocode> {
    const item = await readItem(promocodeId);
    if (!item) throw promocodeNotFound(promocodeId);
    return promocodeOf(item);
  },

  /** A page in the order of the ids. With a `code` it holds that code's promocode or nothing. */
  async list({ promotionId, code, limit, cursor }: ListPromocodes): Promise<PromocodePage> {
    const list = `promocodes?promotionId=${promotionId ?? ""}`;
    if (code !== undefined) {
      // A list of one has no second page, so no cursor is ever its own.
      if (cursor !== undefined) await decodeCursor(`${list}&code`, cursor);
      const promocode = await findByCode(code);
      const matches = promocode && (promotionId === undefined || promocode.promotionId === promotionId);
      return { items: matches ? [promocode] : [] };
    }
    const page = await listPage({
      list,
      partitionKey: promotionId === undefined ? partitions.promocodes : partitions.promocodesOf(promotionId),
      limit,
      cursor,
    });
    const ids = page.items.map(({ sk }) => String(sk));
    return { ...page, items: await promocodesOf(ids) };
  },

  /** Changes the settings that are named and leaves the others, and every earlier allocation, as they are. */
  async update(
    promocodeId: string,
    settings: { readonly [Setting in keyof UniqueCodes]?: UniqueCodes[Setting] | undefined },
    now: Date,
  ): Promise<PersonalizedPromocode> {
    const fields = Object.entries({ ...settings, updatedAt: now.toISOString() }).filter(
      ([, value]) => value !== undefined,
    );
    try {
      const { Attributes } = await dynamoDb.send(
        new UpdateCommand({
          TableName: tableName(),
          Key: keys.promocode(promocodeId),
          UpdateExpression: `SET ${fields.map(([field]) => `${field} = :${field}`).join(", ")}`,
          ConditionExpression: `${exists} AND #type = :personalized`,
          ExpressionAttributeNames: { "#type": "type" },
          ExpressionAttributeValues: {
            ":personalized": "personalized",
            ...Object.fromEntries(fields.map(([field, value]) => [`:${field}`, value])),
          },
          ReturnValues: "ALL_NEW",
          ReturnValuesOnConditionCheckFailure: "ALL_OLD",
        }),
      );
      return promocodeOf(itemSchema.parse(Attributes)) as PersonalizedPromocode;
    } catch (error) {
      if (!(error instanceof ConditionalCheckFailedException)) throw error;
      throw error.Item ? notPersonalized(promocodeId) : promocodeNotFound(promocodeId);
    }
  },
};

/** A promocode stays with its promotion for ever, so this can be remembered. */
const promotionIdByPromocodeId = new LeastRecentlyUsed<string, string>(10_000);

/**
 * A promocode and its promotion, both strongly consistent: one request once the promocode was seen, two the first
 * time. Allocation calls it every time, so that a deactivation holds from the moment of its answer.
 */
export const promocodeWithPromotion = async (
  promocodeId: string,
): Promise<{ readonly promocode: StoredPromocode; readonly promotion: Promotion }> => {
  const expected = promotionIdByPromocodeId.get(promocodeId);
  if (expected !== undefined) {
    const head = keys.promocode(promocodeId);
    const items = await readFew([head, keys.promotion(expected)]);
    const promocodeItem = items.find(({ pk }) => pk === head.pk);
    const promotionItem = items.find(({ pk }) => pk === partitions.promotions);
    if (promocodeItem && promotionItem) {
      const promocode = promocodeOf(itemSchema.parse(promocodeItem));
      if (promocode.promotionId === expected) return { promocode, promotion: promotionOf(promotionItem) };
    }
    promotionIdByPromocodeId.delete(promocodeId);
  }
  const promocode = await promocodes.get(promocodeId);
  const promotion = await promotions.get(promocode.promotionId);
  promotionIdByPromocodeId.set(promocodeId, promocode.promotionId);
  return { promocode, promotion };
};

export interface ListPromocodes {
  readonly promotionId: string | undefined;
  readonly code: string | undefined;
  readonly limit: number;
  readonly cursor: string | undefined;
}

export interface PromocodePage {
  readonly items: readonly StoredPromocode[];
  readonly nextCursor?: string;
}

type TransactItem = NonNullable<TransactWriteCommandInput["TransactItems"]>[number];

const readItem = async (promocodeId: string): Promise<PromocodeItem | undefined> => {
  const { Item } = await dynamoDb.send(
    new GetCommand({ TableName: tableName(), Key: keys.promocode(promocodeId), ConsistentRead: true }),
  );
  return Item && itemSchema.parse(Item);
};

const codeItemSchema = z.object({ promocodeId: z.string() });

const findByCode = async (code: string): Promise<StoredPromocode | undefined> => {
  const { Item } = await dynamoDb.send(
    new GetCommand({ TableName: tableName(), Key: keys.globalCode(code), ConsistentRead: true }),
  );
  return Item && promocodes.get(codeItemSchema.parse(Item).promocodeId);
};

/** The promocodes of these ids that exist, in their order; strongly consistent. */
export const promocodesOf = async (ids: readonly string[]): Promise<readonly StoredPromocode[]> => {
  const items = await batchGet(
    ids.map((id) => keys.promocode(id)),
    { consistent: true },
  );
  const found = new Map(
    items.map((item) => {
      const promocode = promocodeOf(itemSchema.parse(item));
      return [promocode.promocodeId, promocode] as const;
    }),
  );
  return ids.flatMap((id) => found.get(id) ?? []);
};
