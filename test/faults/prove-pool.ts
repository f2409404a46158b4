import type { Allocation } from "../../shared/contract/allocations.ts";
import { exportColumns } from "../../shared/contract/exports.ts";
import { type PoolTruth, readPool, type TableLocation } from "./pool-truth.ts";
import { startProcess } from "./start-process.ts";

export interface Expected {
  /** The codes of all published files, withdrawn ones too. */
  readonly codes: readonly string[];
  /** Every answer that callers got: what came from the pool must be theirs. */
  readonly answers?: readonly Allocation[];
  /** The stream was counted to its end, so that counts must equal the scan. @default false */
  readonly counted?: boolean;
  /** The test wrote the pool's items itself, not by the service's rules: only the other expectations are held. @default false */
  readonly writtenByHand?: boolean;
  /** Text of an export of the promocode, which must tell exactly the allocations. */
  readonly exported?: string;
}

/**
 * Proves a pool's promises from the outside. What holds of every pool, `npm run verify` proves, by a process of its own
 * that nothing is injected into; what only the test can know, a scan of the raw table: which codes there must be, who
 * was answered what, what an export has to tell. Throws with everything that does not hold; answers the pool.
 */
export const provePool = async (
  table: TableLocation,
  promocodeId: string,
  { codes, answers = [], counted = false, writtenByHand = false, exported }: Expected,
): Promise<PoolTruth> => {
  const pool = await readPool(table, promocodeId);
  const broken = [
    ...(writtenByHand ? [] : await breachesOf(table, promocodeId)),
    ...codesLostOrForeign(pool, codes),
    ...answersWithoutRecord(pool, answers),
    ...(counted ? countsThatDiffer(pool) : []),
    ...(exported === undefined ? [] : exportThatDiffers(pool, promocodeId, exported)),
  ];
  if (broken.length > 0)
    throw new Error(`the pool of ${promocodeId} is broken:\n  ${broken.slice(0, 20).join("\n  ")}`);
  return pool;
};

/** All breaches that verify finds. Counts are the test's: it knows whether the stream was counted to its end. */
const breachesOf = async (
  { engine, tableName }: TableLocation,
  promocodeId: string,
): Promise<readonly string[]> => {
  const { AWS_ENDPOINT_URL_DYNAMODB, TABLE_NAME } = process.env;
  process.env.TABLE_NAME = tableName;
  try {
    const { verifyPool } = await startProcess(
      engine.endpoint,
      () => import("../../commands/verify/verify-pool.ts"),
    );
    const { findings } = await verifyPool(promocodeId, { countsPatienceMs: 0 });
    return findings.map(({ rule, where, detail }) => `${rule} at ${where}: ${detail}`);
  } finally {
    // What the test imports later goes where it went before.
    for (const [name, value] of Object.entries({ AWS_ENDPOINT_URL_DYNAMODB, TABLE_NAME }))
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
  }
};

const allCodes = ({ files }: PoolTruth): readonly string[] =>
  files.flatMap(({ cells }) => cells.flatMap((cell) => cell.codes));

const codesLostOrForeign = (pool: PoolTruth, codes: readonly string[]): readonly string[] => {
  const there = new Set(allCodes(pool));
  const wanted = new Set(codes);
  return [
    ...codes.filter((code) => !there.has(code)).map((code) => `code ${code} is lost`),
    ...[...there].filter((code) => !wanted.has(code)).map((code) => `code ${code} comes from nowhere`),
  ];
};

const answersWithoutRecord = ({ given }: PoolTruth, answers: readonly Allocation[]): readonly string[] => {
  const byCode = new Map(given.map((record) => [record.uniqueCode, record]));
  return answers
    .filter(({ source }) => source === "pool")
    .flatMap(({ uniqueCode, customerId, fileId, timestamp }) => {
      const record = byCode.get(uniqueCode);
      if (!record) return [`code ${uniqueCode} was answered, but nobody holds it`];
      const same =
        record.customerId === customerId && record.fileId === fileId && record.timestamp === timestamp;
      return same ? [] : [`code ${uniqueCode} was answered otherwise than it is on record`];
    });
};

const countsThatDiffer = ({ files, given, defaultsGiven, counts }: PoolTruth): readonly string[] => {
  const allocatedOf = (fileId: string) => given.filter((record) => record.fileId === fileId).length;
  const scanned = new Map([
    ...files.map(({ generation: { fileId } }) => [fileId, allocatedOf(fileId)] as const),
    ["default", defaultsGiven] as const,
  ]);
  return [...scanned]
    .filter(([name, count]) => (counts.get(name) ?? 0) !== count)
    .map(([name, count]) => `${name}: counted ${counts.get(name) ?? 0}, the scan finds ${count}`);
};

const repeated = (names: readonly string[]): readonly string[] => {
  const seen = new Set<string>();
  return names.filter((name) => seen.has(name) || !seen.add(name));
};

const exportThatDiffers = (
  { given }: PoolTruth,
  promocodeId: string,
  exported: string,
): readonly string[] => {
  const [header, ...rows] = exported.trimEnd().split("\n");
  if (header !== exportColumns.join(",")) return [`the export begins with ${header}`];
  const told = rows.map((row) => {
    const [customerId, promocode, , fileId, uniqueCode, timestamp] = row.split(",");
    return [customerId, promocode, fileId, uniqueCode, timestamp].join(",");
  });
  const held = given.map(({ customerId, fileId, uniqueCode, timestamp }) =>
    [customerId, promocodeId, fileId, uniqueCode, timestamp].join(","),
  );
  const [isTold, isHeld] = [new Set(told), new Set(held)];
  const missing = held.filter((row) => !isTold.has(row));
  const extra = told.filter((row) => !isHeld.has(row));
  return [
    ...missing.map((row) => `the export lacks ${row}`),
    ...extra.map((row) => `the export tells ${row}, which is not so`),
    ...repeated(told).map((row) => `the export tells ${row} twice`),
  ];
};
