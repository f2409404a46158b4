import { createHash } from "node:crypto";
import { createInterface } from "node:readline";
import { Readable } from "node:stream";
import { GetObjectCommand } from "@aws-sdk/client-s3";
import { ulid } from "ulid";
import type { Exported, ExportTask } from "../apart/export.ts";
import type { OwnWork, OwnWorkTask } from "../apart/export-own-work.ts";
import { runApart } from "../lib/apart.ts";
import { type BenchBuckets, exportsBucket, startBenchBuckets } from "../lib/buckets.ts";
import { startBenchTable } from "../lib/engine.ts";
import { indexOf } from "../lib/generated-codes.ts";
import { type GivenPool, indexOfCustomer, writeGivenPool } from "../lib/given-pool.ts";
import type { Measured } from "../lib/measure-task.ts";
import type { Figure, Outcome, Run, Scenario } from "../scenario.ts";

interface Options extends Readonly<Record<string, number>> {
  /** Codes of the largest pool. One of a tenth is exported too, to show that memory does not follow. */
  readonly codes: number;
  /** Allocations in it. */
  readonly allocations: number;
}

/** Exporting who got what: few of a large pool's codes are given out, and all of its cells have to be read. */
export const scenario: Scenario<Options> = {
  name: "export",
  summary: "the allocations of a large pool, from its cells to a CSV in S3",
  defaults: {
    small: { codes: 500_000, allocations: 50_000 },
    full: { codes: 10_000_000, allocations: 1_000_000 },
  },
  run: async ({ options: { codes, allocations }, progress }) => {
    const table = await startBenchTable();
    const buckets = await startBenchBuckets();
    try {
      const tenth = { codes: Math.ceil(codes / 10), allocations: Math.ceil(allocations / 10) };
      const small = await exportPool(buckets, tenth, progress);
      const large = await exportPool(buckets, { codes, allocations }, progress);
      progress("the exporter's own work");
      const task: OwnWorkTask = { allocations };
      return outcomeOf([small, large], (await runApart<OwnWork>("export-own-work", task)).answer);
    } finally {
      await buckets.close();
      await table.close();
    }
  },
};

interface PoolExport extends Measured<Exported> {
  readonly codes: number;
  readonly allocations: number;
  readonly bytes: number;
  /** Allocations that the file lacks, has twice or tells wrongly. */
  readonly errors: number;
}

const exportPool = async (
  buckets: BenchBuckets,
  pool: { readonly codes: number; readonly allocations: number },
  progress: Run<Options>["progress"],
): Promise<PoolExport> => {
  const { createExport, getExport } = await import("../../shared/storage/exports.ts");
  const what = `${pool.allocations.toLocaleString("en")} allocations of ${pool.codes.toLocaleString("en")} codes`;
  const given = await writeGivenPool(pool, (done) => progress(`${what}: write the pool`, done));

  const exportId = `exp_${ulid()}`;
  await createExport({
    exportId,
    level: "promocode",
    promocodeId: given.promocodeId,
    promotionId: given.promotionId,
    fileId: null,
    from: null,
    to: null,
    formulaSafe: false,
    createdAt: new Date().toISOString(),
  });
  progress(`${what}: export`);
  const task: ExportTask = { exportId };
  const measured = await runApart<Exported>("export", task);

  progress(`${what}: check of every row`);
  const { status, rows, bytes, sha256, objectKey } = await getExport(exportId, new Date());
  if (status !== "succeeded" || objectKey === null) throw new Error(`The export is ${status}.`);
  const file = await checkFile(buckets, objectKey, given, pool.allocations);
  if (rows !== pool.allocations || file.bytes !== bytes || file.sha256 !== sha256)
    throw new Error(`The export's record tells of ${rows} rows and ${bytes} bytes: not its file.`);
  return { ...measured, ...pool, bytes, errors: file.errors };
};

/** Reads the file and holds every row against what was given out. */
const checkFile = async (
  { client }: BenchBuckets,
  objectKey: string,
  { promocodeId, promotionId, fileId }: GivenPool,
  allocations: number,
): Promise<{ readonly bytes: number; readonly sha256: string; readonly errors: number }> => {
  const { Body } = await client.send(new GetObjectCommand({ Bucket: exportsBucket, Key: objectKey }));
  const hash = createHash("sha256");
  let bytes = 0;
  const observed = async function* () {
    for await (const chunk of Body as Readable) {
      hash.update(chunk);
      bytes += chunk.length;
      yield chunk;
    }
  };
  const seen = new Uint8Array(allocations);
  const codes = new Set<number>();
  let right = 0;
  let rows = -1;
  for await (const line of createInterface({ input: Readable.from(observed()) })) {
    rows += 1;
    if (rows === 0) continue;
    const [customerId = "", promocode, promotion, file, code = "", at = "", ...context] = line.split(",");
    const customer = indexOfCustomer(customerId);
    const index = indexOf(code);
    if (seen[customer] !== 0 || index === undefined || codes.has(index)) continue;
    if (promocode !== promocodeId || promotion !== promotionId || file !== fileId) continue;
    if (Number.isNaN(Date.parse(at)) || context.join() !== "send-2026-11-23,autumn,") continue;
    seen[customer] = 1;
    codes.add(index);
    right += 1;
  }
  return { bytes, sha256: hash.digest("hex"), errors: Math.max(allocations, rows) - right };
};

const rounded = (value: number, digits = 2): number => Number(value.toFixed(digits));

const outcomeOf = (exports: readonly PoolExport[], own: OwnWork): Outcome => {
  const largest = exports.at(-1)!;
  const figures: Figure[] = [
    {
      name: "rows per CPU second of the exporter's own work",
      value: own.rows / own.ownCpuSeconds,
      unit: "rows/s",
      target: { atLeast: 100_000 },
      kind: "timed",
      note: "rows, CSV, hash, parts; cells come from memory and S3 answers at once: without the SDK's part",
    },
    {
      name: "rows per second, from the engine to S3",
      value: largest.allocations / largest.seconds,
      unit: "rows/s",
      kind: "timed",
      note: `${largest.allocations.toLocaleString("en")} allocations of ${largest.codes.toLocaleString("en")} codes: every cell is read`,
    },
    {
      name: "peak memory of the exporter",
      value: Math.max(...exports.map(({ peakRssMb }) => peakRssMb)),
      unit: "MB",
      target: { atMost: 250 },
      kind: "timed",
      note: "resident, of a process that does nothing else, bundled as it is deployed; Node is in it",
    },
    {
      name: "allocations missing, doubled or wrong in the files",
      value: exports.reduce((errors, each) => errors + each.errors, 0),
      unit: "rows",
      target: { atMost: 0 },
      kind: "exact",
      note: "every row read back and held against what was given out",
    },
    {
      name: "read units per code in the pool",
      value: largest.answer.readUnits / largest.codes,
      unit: "read units",
      kind: "exact",
      note: "strongly consistent",
    },
  ];
  return {
    figures,
    tables: [
      {
        title: "Exporting who got what, end to end",
        columns: [
          "codes",
          "allocations",
          "MB",
          "seconds",
          "rows/s",
          "cells/s",
          "CPU s",
          "peak MB",
          "read units",
          "calls",
        ],
        rows: exports.map(({ codes, allocations, bytes, seconds, cpuSeconds, peakRssMb, answer }) => [
          codes,
          allocations,
          rounded(bytes / 1e6, 1),
          rounded(seconds),
          Math.round(allocations / seconds),
          Math.round(codes / 14 / seconds),
          rounded(cpuSeconds),
          Math.round(peakRssMb),
          answer.readUnits,
          answer.calls,
        ]),
      },
    ],
  };
};
