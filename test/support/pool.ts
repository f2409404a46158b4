import { randomBytes } from "node:crypto";
import { BatchWriteCommand, PutCommand, TransactWriteCommand } from "@aws-sdk/lib-dynamodb";
import type { PersonalizedPromocode } from "../../shared/domain/promocode.ts";
import type { Generation } from "../../shared/pool/generation.ts";
import { parseSalt } from "../../shared/pool/hash.ts";
import { CodeTable } from "../../shared/pool/loading/code-table.ts";
import { cellRange, cutOf } from "../../shared/pool/loading/cut.ts";
import { SortedCodes } from "../../shared/pool/loading/sorted-codes.ts";
import { type CellItem, newCellItem } from "../../shared/storage/cells.ts";
import { dynamoDb, tableName } from "../../shared/storage/client.ts";
import type { StoredCodeFile } from "../../shared/storage/code-files.ts";
import { generationItem } from "../../shared/storage/generations.ts";
import { keys } from "../../shared/storage/table.ts";

export { customers, someCodes } from "./codes.ts";

/** A personalized promocode in the table, without any file. */
export const aPromocode = async (
  settings: Partial<PersonalizedPromocode["uniqueCodes"]> = {},
): Promise<PersonalizedPromocode> => {
  const promocode: PersonalizedPromocode = {
    promocodeId: `pcd_${randomBytes(13).toString("hex")}`,
    promotionId: "prm_test",
    type: "personalized",
    uniqueCodes: {
      allocationMethod: "Consistent",
      defaultCode: "DEFAULT",
      onExhausted: "default",
      ...settings,
    },
    salt: randomBytes(8).toString("hex"),
    base: undefined,
    lastGeneration: 0,
    createdAt: "2026-11-23T00:00:00.000Z",
    updatedAt: "2026-11-23T00:00:00.000Z",
  };
  const { uniqueCodes, ...head } = promocode;
  await dynamoDb.send(
    new PutCommand({
      TableName: tableName(),
      Item: { ...keys.promocode(promocode.promocodeId), ...head, ...uniqueCodes, createdBy: "a test" },
    }),
  );
  return promocode;
};

/** Publishes the codes as the promocode's next generation, the way the loader cuts them, with a record of the file. */
export const publish = async (
  promocode: PersonalizedPromocode,
  codes: readonly string[],
): Promise<PersonalizedPromocode> => {
  const { promocodeId } = promocode;
  const number = promocode.lastGeneration + 1;
  const bytes = Buffer.from(codes.join("\n"));
  const table = new CodeTable(bytes.length + 1, codes.length, parseSalt(promocode.salt));
  let start = 0;
  for (const code of codes) {
    table.add(bytes, start, start + code.length);
    start += code.length + 1;
  }
  const sorted = new SortedCodes(table);
  const cut = cutOf(sorted, sorted.totalLength() / Math.max(1, sorted.count));
  const items: CellItem[] = [];
  for (let shard = 0; shard < cut.shards; shard++) {
    for (let cell = 0; cell < cut.cellsPerShard; cell++) {
      const { from, to } = cellRange(cut, shard, cell);
      const address = { generation: number, attempt: 1, shard, cell };
      items.push(
        newCellItem(
          promocodeId,
          address,
          Array.from({ length: to - from }, (_, at) => sorted.code(from + at)),
        ),
      );
    }
  }
  for (let at = 0; at < items.length; at += 25) {
    const puts = items.slice(at, at + 25).map((Item) => ({ PutRequest: { Item } }));
    await dynamoDb.send(new BatchWriteCommand({ RequestItems: { [tableName()]: puts } }));
  }
  const generation: Generation = {
    number,
    fileId: `fil_${String(number).padStart(26, "0")}`,
    attempt: 1,
    codes: sorted.count,
    shards: cut.shards,
    cellsPerShard: cut.cellsPerShard,
    status: "published",
  };
  const file: StoredCodeFile = {
    fileId: generation.fileId,
    promocodeId,
    fileName: "codes.csv",
    source: "drop",
    status: "ready",
    objectKey: `promocodes/${promocodeId}/codes.csv`,
    versionId: null,
    attempt: 1,
    generation: number,
    rowsRead: codes.length,
    codes: generation.codes,
    duplicatesInFile: 0,
    duplicatesInPool: 0,
    rejected: 0,
    header: null,
    problems: [],
    failureCode: null,
    failureMessage: null,
    createdAt: "2026-11-23T00:00:00.000Z",
    loadedAt: "2026-11-23T00:00:01.000Z",
  };
  // One transaction, as the loader publishes: whoever reads meanwhile sees all of it or nothing.
  const TableName = tableName();
  await dynamoDb.send(
    new TransactWriteCommand({
      TransactItems: [
        { Put: { TableName, Item: { ...keys.codeFile(promocodeId, file.fileId), ...file } } },
        { Put: { TableName, Item: generationItem(promocodeId, generation) } },
        {
          Update: {
            TableName,
            Key: keys.promocode(promocodeId),
            UpdateExpression: "SET lastGeneration = :number",
            ExpressionAttributeValues: { ":number": number },
          },
        },
      ],
    }),
  );
  return { ...promocode, lastGeneration: number };
};
