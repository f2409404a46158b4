import type { Readable } from "node:stream";
import { GetObjectCommand } from "@aws-sdk/client-s3";
import { s3 } from "../../shared/files/s3-client.ts";
import { dynamoDb } from "../../shared/storage/client.ts";
import { type LoadedItems, loadItemPerCode } from "../baselines/item-per-code.ts";
import { measureTask } from "../lib/apart.ts";
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

/** The baseline's loader, with the clients of the service: same SDK, same sockets. */
measureTask(async ({ bucket, key, table, promocodeId }: LoadItemsTask): Promise<ItemsLoaded> => {
  const consumed = meter(dynamoDb);
  const { Body } = await s3.send(new GetObjectCommand({ Bucket: bucket, Key: key }));
  const loaded = await loadItemPerCode({ client: dynamoDb, table, promocodeId, csv: Body as Readable });
  const { writeUnits, indexWriteUnits, writeCalls } = consumed;
  return { ...loaded, writeUnits, indexWriteUnits, calls: writeCalls };
});
