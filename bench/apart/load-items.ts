import type { Readable } from "node:stream";
import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { GetObjectCommand } from "@aws-sdk/client-s3";
import { DynamoDBDocumentClient } from "@aws-sdk/lib-dynamodb";
import { NodeHttpHandler } from "@smithy/node-http-handler";
import { s3 } from "../../shared/files/s3-client.ts";
import { type LoadedItems, loadItemPerCode } from "../baselines/item-per-code.ts";
import { measureTask } from "../lib/measure-task.ts";
import { meter } from "../lib/meter.ts";

export interface LoadItemsTask {
  readonly bucket: string;
  readonly key: string;
  readonly table: string;
  readonly promocodeId: string;
}

export interface ItemsLoaded extends LoadedItems {
  readonly writeUnits: number;
  readonly indexWriteUnits: number;
  readonly calls: number;
}

/** As patient with a slow engine as our loader's client; unlike it, it tries again by itself. */
const client = DynamoDBDocumentClient.from(
  new DynamoDBClient({
    maxAttempts: 5,
    requestHandler: new NodeHttpHandler({
      connectionTimeout: 1_000,
      requestTimeout: 10_000,
      throwOnRequestTimeout: true,
      httpAgent: { maxSockets: 64, keepAlive: true },
    }),
  }),
);

/** The baseline's loader. */
measureTask(async ({ bucket, key, table, promocodeId }: LoadItemsTask): Promise<ItemsLoaded> => {
  const consumed = meter(client);
  const { Body } = await s3.send(new GetObjectCommand({ Bucket: bucket, Key: key }));
  const loaded = await loadItemPerCode({ client, table, promocodeId, csv: Body as Readable });
  const { writeUnits, indexWriteUnits, writeCalls } = consumed;
  return { ...loaded, writeUnits, indexWriteUnits, calls: writeCalls };
});
