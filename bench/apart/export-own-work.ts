import { S3Client } from "@aws-sdk/client-s3";
import { exportLines } from "../../functions/build-export/export-lines.ts";
import { writeExportFile } from "../../shared/files/export-file.ts";
import { encodeStamp, newCellItem } from "../../shared/storage/cells.ts";
import { dynamoDb } from "../../shared/storage/client.ts";
import type { StoredExport } from "../../shared/storage/exports.ts";
import { measureTask } from "../lib/measure-task.ts";

export interface OwnWorkTask {
  readonly allocations: number;
}

export interface OwnWork {
  readonly rows: number;
  /** Of building rows, writing CSV, hashing and cutting parts. */
  readonly ownCpuSeconds: number;
}

const codesPerCell = 14;
const cellsPerShard = 256;
const promocodeId = "pcd_01KA5S1B3M9K7T5R2C8VQ0WDXE";
const context = { contextId: "abcde", occurenceId: "send-2026-11-23", seriesId: "autumn", actionId: null };

const wanted: StoredExport = {
  exportId: "exp_bench",
  level: "promocode",
  promocodeId,
  promotionId: "prm_01KA5S0M7E8Q4V2B9Z6XH3TYWN",
  fileId: null,
  from: null,
  to: null,
  formulaSafe: false,
  status: "running",
  attempt: 1,
  rows: 0,
  bytes: 0,
  sha256: null,
  objectKey: null,
  failureMessage: null,
  createdAt: "2026-11-23T12:00:00.000Z",
  completedAt: null,
  expiresAt: 0,
};

/** A shard of which every code is given out, as the document client would answer it. */
const shardItems = (shard: number) =>
  Array.from({ length: cellsPerShard }, (_, cell) => {
    const first = (shard * cellsPerShard + cell) * codesPerCell;
    const slots = Array.from({ length: codesPerCell }, (_, slot) => first + slot);
    return {
      ...newCellItem(
        promocodeId,
        { generation: 1, attempt: 1, shard, cell },
        slots.map((slot) => `CODE${String(slot).padStart(8, "0")}`),
      ),
      u: slots.map((slot) => `customer-${String(slot).padStart(8, "0")}-5f1d0c1ab3e94c2d8f`),
      t: slots.map((slot) =>
        encodeStamp({ at: 1_795_435_200_000 + slot * 37, contextId: context.contextId }),
      ),
    };
  });

const answerFromNothing = (allocations: number, shards: number): void => {
  const generation = {
    number: 1,
    fileId: "fil_01KA5S2H4N6P8R0T2V4X6Z8A0C",
    attempt: 1,
    codes: allocations,
    shards,
    cellsPerShard,
    status: "published",
  };
  dynamoDb.send = (async ({ input }: { input: Record<string, unknown> }) => {
    if ("RequestItems" in input) return { Responses: { [String(process.env.TABLE_NAME)]: [context] } };
    const { ":pk": pk = "" } = (input.ExpressionAttributeValues ?? {}) as Record<string, string>;
    return { Items: pk.startsWith("c#") ? shardItems(Number(pk.split("#").at(-1))) : [generation] };
  }) as typeof dynamoDb.send;
  S3Client.prototype.send = (async () => ({
    UploadId: "bench",
    ETag: '"bench"',
  })) as typeof S3Client.prototype.send;
};

const cpuSecondsOf = async (work: () => unknown): Promise<number> => {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1e6;
};

/**
 * The exporter's own work without its clients': cells come from nowhere and parts go nowhere, at once. Making up the
 * cells is measured alone and taken off.
 */
measureTask(async ({ allocations }: OwnWorkTask): Promise<OwnWork> => {
  const shards = Math.ceil(allocations / (codesPerCell * cellsPerShard));
  answerFromNothing(allocations, shards);
  const synthesis = await cpuSecondsOf(() => {
    for (let shard = 0; shard < shards; shard += 1) shardItems(shard);
  });
  let rows = 0;
  const lines = async function* () {
    for await (const piece of exportLines(wanted)) {
      rows += piece.rows;
      yield piece.lines;
    }
  };
  const all = await cpuSecondsOf(() => writeExportFile("exports/bench.csv", lines()));
  return { rows, ownCpuSeconds: all - synthesis };
});
