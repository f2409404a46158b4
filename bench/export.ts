/**
 * How fast an export's own work is, and how much memory it takes: `npx tsx bench/export.ts [allocations]`.
 * The table is synthetic (every Query answers a full shard at once) and the bucket swallows what it gets, so the
 * figures are those of building rows, writing CSV, hashing and cutting parts.
 */
import { S3Client } from "@aws-sdk/client-s3";
import { encodeStamp, newCellItem } from "../shared/storage/cells.ts";

process.env.AWS_REGION = "us-east-1";
process.env.AWS_ACCESS_KEY_ID = "bench";
process.env.AWS_SECRET_ACCESS_KEY = "bench";
process.env.TABLE_NAME = "bench";
process.env.EXPORTS_BUCKET = "bench";

const allocations = Number(process.argv[2] ?? 1_000_000);
const codesPerCell = 14;
const cellsPerShard = 256;
const shards = Math.ceil(allocations / (codesPerCell * cellsPerShard));
const promocodeId = "pcd_01KA5S1B3M9K7T5R2C8VQ0WDXE";
const fileId = "fil_01KA5S2H4N6P8R0T2V4X6Z8A0C";
const context = { contextId: "abcde", occurenceId: "send-2026-11-23", seriesId: "autumn", actionId: null };

const { dynamoDb } = await import("../shared/storage/client.ts");
const { exportLines } = await import("../functions/build-export/export-lines.ts");
const { writeExportFile } = await import("../shared/files/export-file.ts");

const generation = {
  number: 1,
  fileId,
  attempt: 1,
  codes: allocations,
  shards,
  cellsPerShard,
  status: "published",
};

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

dynamoDb.send = (async (command: { input: Record<string, unknown> }) => {
  const values = command.input.ExpressionAttributeValues as Record<string, string> | undefined;
  if ("RequestItems" in command.input) return { Responses: { bench: [context] } };
  const pk = values?.[":pk"] ?? "";
  return { Items: pk.startsWith("c#") ? shardItems(Number(pk.split("#").at(-1))) : [generation] };
}) as typeof dynamoDb.send;

let partsSent = 0;
S3Client.prototype.send = (async (command: { input: object }) => {
  // As long as a part of 8 MB takes at 100 MB/s.
  await new Promise((done) => setTimeout(done, 80));
  if ("PartNumber" in command.input) partsSent += 1;
  return { UploadId: "bench", ETag: '"bench"' };
}) as typeof S3Client.prototype.send;

const wanted = {
  exportId: "exp_bench",
  level: "promocode",
  promocodeId,
  promotionId: "prm_01KA5S0M7E8Q4V2B9Z6XH3TYWN",
  fileId: null,
  from: null,
  to: null,
  formulaSafe: process.argv.includes("--formula-safe"),
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
} as const;

const synthesis = process.cpuUsage();
for (let shard = 0; shard < shards; shard += 1) shardItems(shard);
const synthesisCpu = process.cpuUsage(synthesis).user / 1e6;

let peakMb = 0;
const watch = setInterval(() => {
  peakMb = Math.max(peakMb, process.memoryUsage.rss() / 2 ** 20);
}, 20);

let rows = 0;
const lines = async function* () {
  for await (const piece of exportLines(wanted)) {
    rows += piece.rows;
    yield piece.lines;
  }
};
const cpu = process.cpuUsage();
const begun = performance.now();
const file = await writeExportFile("exports/bench.csv", lines());
const seconds = (performance.now() - begun) / 1000;
clearInterval(watch);
const { user, system } = process.cpuUsage(cpu);
const ownCpu = (user + system) / 1e6 - synthesisCpu;
console.log({
  rows,
  megabytes: Math.round(file.bytes / 1e6),
  parts: partsSent,
  seconds: Number(seconds.toFixed(2)),
  rowsPerSecond: Math.round(rows / seconds),
  rowsPerCpuSecondWithoutSynthesis: Math.round(rows / ownCpu),
  peakRssMb: Math.round(peakMb),
});
