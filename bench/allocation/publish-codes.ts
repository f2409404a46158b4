import { PutCommand, UpdateCommand } from "@aws-sdk/lib-dynamodb";
import { writeCellsOf } from "../../functions/load-code-file/write-cells-of.ts";
import type { PersonalizedPromocode } from "../../shared/domain/promocode.ts";
import type { Generation } from "../../shared/pool/generation.ts";
import { parseSalt } from "../../shared/pool/hash.ts";
import { CodeTable } from "../../shared/pool/loading/code-table.ts";
import { cutOf } from "../../shared/pool/loading/cut.ts";
import { SortedCodes } from "../../shared/pool/loading/sorted-codes.ts";
import { dynamoDb, tableName } from "../../shared/storage/client.ts";
import { generationItem } from "../../shared/storage/generations.ts";
import { keys } from "../../shared/storage/table.ts";

/** Publishes the codes as the promocode's first generation: cut and written by the loader's own code. */
export const publishCodes = async (
  { promocodeId, salt }: PersonalizedPromocode,
  codes: readonly string[],
): Promise<Generation> => {
  const bytes = Buffer.from(codes.join("\n"));
  const table = new CodeTable(bytes.length + 1, codes.length, parseSalt(salt));
  let start = 0;
  for (const code of codes) {
    table.add(bytes, start, start + code.length);
    start += code.length + 1;
  }
  const sorted = new SortedCodes(table);
  const cut = cutOf(sorted, sorted.totalLength() / Math.max(1, sorted.count));
  const { signal } = new AbortController();
  await writeCellsOf({ promocodeId, number: 1, attempt: 1, codes: sorted, cut }, 0, { signal });
  const { shards, cellsPerShard } = cut;
  const generation: Generation = {
    number: 1,
    fileId: "fil_01KA5S2H4N6P8R0T2V4X6Z8A0C",
    attempt: 1,
    codes: sorted.count,
    shards,
    cellsPerShard,
    status: "published",
  };
  await dynamoDb.send(
    new PutCommand({ TableName: tableName(), Item: generationItem(promocodeId, generation) }),
  );
  await dynamoDb.send(
    new UpdateCommand({
      TableName: tableName(),
      Key: keys.promocode(promocodeId),
      UpdateExpression: "SET lastGeneration = :number",
      ExpressionAttributeValues: { ":number": generation.number },
    }),
  );
  return generation;
};
