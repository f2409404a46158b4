import { ConditionalCheckFailedException } from "@aws-sdk/client-dynamodb";
import { GetCommand, PutCommand, UpdateCommand } from "@aws-sdk/lib-dynamodb";
import * as z from "zod";
import { type Promotion, promotionStatuses, type updatePromotionBody } from "../contract/promotions.ts";
import { idTaken, promotionArchived, promotionNotFound } from "../domain/failures.ts";
import {
  type PromotionStatus,
  sourcesByTarget,
  type TargetStatus,
  transitionVerdict,
} from "../domain/promotion.ts";
import { dynamoDb, tableName } from "./client.ts";
import { listPage } from "./list-page.ts";
import { keys, partitions } from "./table.ts";

const itemSchema = z.object({
  promotionId: z.string(),
  name: z.string(),
  description: z.string().optional(),
  metadata: z.record(z.string(), z.string()).optional(),
  status: z.enum(promotionStatuses),
  createdAt: z.string(),
  updatedAt: z.string(),
  /** The request that created it, so that a retry knows its own. */
  createdBy: z.string(),
});
type PromotionItem = z.infer<typeof itemSchema>;

/** The promotion in an item of `keys.promotion`. */
export const promotionOf = (item: unknown): Promotion => {
  const { createdBy: _, ...promotion } = itemSchema.parse(item);
  return promotion;
};

const exists = "attribute_exists(pk)";
const isAbsent = "attribute_not_exists(pk)";
const isNotArchived = "#status <> :archived";

export const promotions = {
  /**
   * Stores a new promotion. `createdBy` names the request: if it has created this very promotion before, that one is
   * answered. Refuses an id that another request took.
   */
  async create(promotion: Promotion, createdBy: string): Promise<Promotion> {
    const item: PromotionItem = { ...promotion, createdBy };
    try {
      await dynamoDb.send(
        new PutCommand({
          TableName: tableName(),
          Item: { ...keys.promotion(promotion.promotionId), ...item },
          ConditionExpression: isAbsent,
        }),
      );
      return promotion;
    } catch (error) {
      if (!(error instanceof ConditionalCheckFailedException)) throw error;
      const stored = itemSchema.parse(await readItem(promotion.promotionId));
      if (stored.createdBy !== createdBy) throw idTaken(promotion.promotionId);
      return promotionOf(stored);
    }
  },

  /** Strongly consistent; `promotion-not-found` when there is none. */
  async get(promotionId: string): Promise<Promotion> {
    const item = await readItem(promotionId);
    if (!item) throw promotionNotFound(promotionId);
    return promotionOf(item);
  },

  /** A page in the order of the ids. */
  async list({
    status,
    limit,
    cursor,
  }: {
    readonly status: PromotionStatus | undefined;
    readonly limit: number;
    readonly cursor: string | undefined;
  }): Promise<{ items: Promotion[]; nextCursor?: string }> {
    const page = await listPage({
      list: `promotions?status=${status ?? ""}`,
      partitionKey: partitions.promotions,
      limit,
      cursor,
      ...(status && {
        filter: {
          FilterExpression: "#status = :status",
          ExpressionAttributeNames: { "#status": "status" },
          ExpressionAttributeValues: { ":status": status },
        },
      }),
    });
    return { ...page, items: page.items.map(promotionOf) };
  },

  /** Changes the fields that are named and leaves the others as they are. */
  async update(
    promotionId: string,
    changes: z.output<typeof updatePromotionBody>,
    now: Date,
  ): Promise<Promotion> {
    const fields = Object.entries({ ...changes, updatedAt: now.toISOString() }).filter(
      ([, value]) => value !== undefined,
    );
    try {
      const { Attributes } = await dynamoDb.send(
        new UpdateCommand({
          TableName: tableName(),
          Key: keys.promotion(promotionId),
          UpdateExpression: `SET ${fields.map(([field]) => `#${field} = :${field}`).join(", ")}`,
          ConditionExpression: `${exists} AND ${isNotArchived}`,
          ExpressionAttributeNames: {
            "#status": "status",
            ...Object.fromEntries(fields.map(([field]) => [`#${field}`, field])),
          },
          ExpressionAttributeValues: {
            ":archived": "archived",
            ...Object.fromEntries(fields.map(([field, value]) => [`:${field}`, value])),
          },
          ReturnValues: "ALL_NEW",
          ReturnValuesOnConditionCheckFailure: "ALL_OLD",
        }),
      );
      return promotionOf(Attributes);
    } catch (error) {
      if (!(error instanceof ConditionalCheckFailedException)) throw error;
      throw error.Item ? promotionArchived(promotionId) : promotionNotFound(promotionId);
    }
  },

  /** Brings the promotion to a status. One that has it already is answered as it is. */
  async setStatus(promotionId: string, target: TargetStatus, now: Date): Promise<Promotion> {
    for (;;) {
      const changed = await tryTransition(promotionId, target, now);
      if (changed) return changed;
      const promotion = await promotions.get(promotionId);
      const verdict = transitionVerdict(promotion.status, target);
      if (verdict === "same") return promotion;
      if (verdict === "refused") throw promotionArchived(promotionId);
      // Another call moved it in between to where this one may move it on.
    }
  },
};

const readItem = async (promotionId: string): Promise<Record<string, unknown> | undefined> => {
  const { Item } = await dynamoDb.send(
    new GetCommand({ TableName: tableName(), Key: keys.promotion(promotionId), ConsistentRead: true }),
  );
  return Item;
};

/** The promotion as changed, or undefined when its status does not lead to the target. */
const tryTransition = async (
  promotionId: string,
  target: TargetStatus,
  now: Date,
): Promise<Promotion | undefined> => {
  const sources = sourcesByTarget[target].map((status, at) => [`:from${at}`, status] as const);
  try {
    const { Attributes } = await dynamoDb.send(
      new UpdateCommand({
        TableName: tableName(),
        Key: keys.promotion(promotionId),
        UpdateExpression: "SET #status = :target, updatedAt = :now",
        ConditionExpression: `${exists} AND #status IN (${sources.map(([name]) => name).join(", ")})`,
        ExpressionAttributeNames: { "#status": "status" },
        ExpressionAttributeValues: {
          ...Object.fromEntries(sources),
          ":target": target,
          ":now": now.toISOString(),
        },
        ReturnValues: "ALL_NEW",
      }),
    );
    return promotionOf(Attributes);
  } catch (error) {
    if (error instanceof ConditionalCheckFailedException) return undefined;
    throw error;
  }
};
