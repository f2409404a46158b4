import { Readable } from "node:stream";
import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import {
  BatchWriteCommand,
  type BatchWriteCommandInput,
  DynamoDBDocumentClient,
} from "@aws-sdk/lib-dynamodb";
import { mockClient } from "aws-sdk-client-mock";
import { describe, expect, it } from "vitest";
import { loadItemPerCode } from "../../../bench/baselines/item-per-code.ts";

describe("the baseline's loader", () => {
  it("writes an item per code, repeats left out, and again what DynamoDB left unprocessed", async () => {
    const client = DynamoDBDocumentClient.from(new DynamoDBClient({ region: "us-east-1" }));
    const dynamoDb = mockClient(client);
    const putsOf = (input: BatchWriteCommandInput) => input.RequestItems?.codes ?? [];
    let calls = 0;
    const written: string[] = [];
    dynamoDb.on(BatchWriteCommand).callsFake((input: BatchWriteCommandInput) => {
      calls += 1;
      const left = calls === 1 ? putsOf(input).slice(20) : [];
      const taken = putsOf(input).slice(0, putsOf(input).length - left.length);
      written.push(...taken.map(({ PutRequest }) => String(PutRequest?.Item?.code)));
      return { UnprocessedItems: { codes: left } };
    });
    const codes = Array.from({ length: 60 }, (_, index) => `CODE${index}`);

    const loaded = await loadItemPerCode({
      client,
      table: "codes",
      promocodeId: "pcd_1",
      csv: Readable.from([`code\r\n${[...codes, "CODE3", "", "CODE4"].join("\r\n")}\r\n`]),
    });

    expect(loaded.codes).toBe(60);
    expect(written).toHaveLength(60);
    expect(new Set(written)).toEqual(new Set(codes));
  });
});
