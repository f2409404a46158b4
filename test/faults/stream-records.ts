import { DescribeTableCommand, DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { StreamReader, type StreamRecord } from "../../local/events/stream-reader.ts";
import type { TableLocation } from "./pool-truth.ts";

/** All records of the table's stream so far, in order, read past every proxy. */
export const streamRecordsOf = async ({
  engine,
  tableName,
}: TableLocation): Promise<readonly StreamRecord[]> => {
  const { endpoint, region, credentials } = engine;
  const client = new DynamoDBClient({ endpoint, region, credentials: { ...credentials } });
  const { Table } = await client.send(new DescribeTableCommand({ TableName: tableName }));
  client.destroy();
  const streamArn = Table?.LatestStreamArn ?? "";
  const reader = new StreamReader({ ...engine, gone: new Promise(() => {}), close: async () => {} });
  const records: StreamRecord[] = [];
  for (const { ShardId } of await reader.shards(streamArn)) {
    let iterator: string | undefined = await reader.iterator(streamArn, ShardId, undefined);
    while (iterator !== undefined) {
      const page = await reader.page(iterator, 1_000);
      records.push(...page.Records);
      // The iterators of a shard that is still open never end.
      iterator = page.Records.length > 0 ? page.NextShardIterator : undefined;
    }
  }
  return records;
};

/** The records as so many shards of a stream have them: those of one item stay in one shard, in their order. */
export const inShards = (
  records: readonly StreamRecord[],
  many: number,
): ReadonlyMap<string, readonly StreamRecord[]> => {
  const shards = new Map<string, StreamRecord[]>();
  for (const record of records) {
    const { pk } = record.dynamodb.Keys as { pk: { S: string } };
    const shard = [...pk.S].reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0)) % 9_973, 7) % many;
    const name = `shardId-${shard}`;
    shards.set(name, [...(shards.get(name) ?? []), record]);
  }
  return shards;
};
