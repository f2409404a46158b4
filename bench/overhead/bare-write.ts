import { BatchWriteItemCommand, DynamoDBClient, UpdateItemCommand } from "@aws-sdk/client-dynamodb";
import { marshall } from "@aws-sdk/util-dynamodb";
import { newCellItem } from "../../shared/storage/cells.ts";
import { codeAt } from "../lib/generated-codes.ts";
import { poster } from "./post.ts";

const codesPerCell = 14;
/** What one cell takes, as in the first half of a pool's life. */
const writesPerCell = codesPerCell / 2;

export interface BareWrites {
  /** By the AWS SDK as a new client comes. */
  sdk(): Promise<void>;
  /** The same request by hand. Our local engine does not look at the signature, so it has a constant one. */
  byHand(): Promise<void>;
}

/**
 * The write that an allocation makes, an append to a cell, and nothing else. In cells that no promocode knows, whose
 * partitions the counter of the stream passes over.
 */
export const bareWrites = async (
  { endpoint, tableName }: { readonly endpoint: string; readonly tableName: string },
  writes: number,
): Promise<BareWrites> => {
  const client = new DynamoDBClient({ endpoint });
  const cells = Array.from({ length: Math.ceil(writes / writesPerCell) }, (_, cell) => ({
    ...newCellItem(
      "bench",
      { generation: 1, attempt: 1, shard: 0, cell },
      Array.from({ length: codesPerCell }, (_, slot) => codeAt(cell * codesPerCell + slot)),
    ),
    pk: `overhead#${cell}`,
  }));
  for (let at = 0; at < cells.length; at += 25) {
    const puts = cells.slice(at, at + 25).map((item) => ({ PutRequest: { Item: marshall(item) } }));
    await client.send(new BatchWriteItemCommand({ RequestItems: { [tableName]: puts } }));
  }

  let written = 0;
  const nextUpdate = () => {
    const cell = cells[written % cells.length]!;
    const token = `customer-${written}-5f1d0c1ab3e94c2d8f`;
    written += 1;
    return {
      TableName: tableName,
      Key: { pk: { S: cell.pk }, sk: { S: cell.sk } },
      UpdateExpression: "SET u = list_append(u, :tokens), t = list_append(t, :stamps)",
      ConditionExpression: "size(u) < k AND NOT contains(u, :t0)",
      ExpressionAttributeValues: {
        ":t0": { S: token },
        ":tokens": { L: [{ S: token }] },
        ":stamps": { L: [{ S: "Q87h6F8" }] },
      },
      ReturnValues: "ALL_NEW" as const,
      ReturnValuesOnConditionCheckFailure: "ALL_OLD" as const,
    };
  };

  const post = poster(endpoint, {
    "Content-Type": "application/x-amz-json-1.0",
    "X-Amz-Target": "DynamoDB_20120810.UpdateItem",
    "X-Amz-Date": "20261125T000000Z",
    Authorization:
      "AWS4-HMAC-SHA256 Credential=local/20261125/us-east-1/dynamodb/aws4_request, SignedHeaders=host;x-amz-date, Signature=0",
  });
  return {
    async sdk() {
      await client.send(new UpdateItemCommand(nextUpdate()));
    },
    async byHand() {
      const { status, text } = await post("/", JSON.stringify(nextUpdate()));
      if (status !== 200) throw new Error(`The engine refused a bare write: ${status} ${text}`);
      JSON.parse(text);
    },
  };
};
