import type { Allocation } from "../../shared/contract/allocations.ts";
import { exportColumns } from "../../shared/contract/exports.ts";
import { tombstone } from "../../shared/pool/cell.ts";
import { type PoolTruth, readPool, type TableLocation } from "./pool-truth.ts";

export interface Expected {
  /** The codes of all published files, withdrawn ones too. */
  readonly codes: readonly string[];
  /** Every answer that callers got: what came from the pool must be theirs. */
  readonly answers?: readonly Allocation[];
  /** The stream was counted to its end, so that counts must equal the scan. @default false */
  readonly counted?: boolean;
  /** Text of an export of the promocode, which must tell exactly the allocations. */
  readonly exported?: string;
}

/**
 * Proves a pool's promises from the outside, on the raw table. Throws with everything that does not hold; answers the
 * pool.
 */
export const provePool = async (
  table: TableLocation,
  promocodeId: string,
  { codes, answers = [], counted = false, exported }: Expected,
): Promise<PoolTruth> => {
  const pool = await readPool(table, promocodeId);
  const broken = [
    ...codesLostOrForeign(pool, codes),
    ...codesInTwoPlaces(pool),
    ...filesInPart(pool),
    ...cellsOutOfBounds(pool),
    ...tokensWithTwoCodes(pool),
    ...intentsToNowhere(pool),
    ...contextsMissing(pool),
    ...answersWithoutRecord(pool, answers),
    ...(counted ? countsThatDiffer(pool) : []),
    ...(exported === undefined ? [] : exportThatDiffers(pool, promocodeId, exported)),
  ];
  if (broken.length > 0)
    throw new Error(`the pool of ${promocodeId} is broken:\n  ${broken.slice(0, 20).join("\n  ")}`);
  return pool;
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

const repeated = (names: readonly string[]): readonly string[] => {
  const seen = new Set<string>();
  return names.filter((name) => seen.has(name) || !seen.add(name));
};

const codesInTwoPlaces = (pool: PoolTruth): readonly string[] =>
  repeated(allCodes(pool)).map((code) => `code ${code} is in two places, so two can get it`);

const filesInPart = ({ files, statusByFile }: PoolTruth): readonly string[] => [
  ...files.flatMap(({ generation: { fileId, codes }, cells }) => {
    const there = cells.reduce((sum, cell) => sum + cell.codes.length, 0);
    return there === codes ? [] : [`file ${fileId} has ${there} of its ${codes} codes in the pool`];
  }),
  ...files.flatMap(({ generation: { fileId, status } }) => {
    const told = statusByFile.get(fileId);
    const fits = status === "published" ? ["ready"] : ["withdrawing", "withdrawn"];
    return told === undefined || fits.includes(told)
      ? []
      : [`file ${fileId} is ${status} but told as ${told}`];
  }),
];

const cellsOutOfBounds = ({ files }: PoolTruth): readonly string[] =>
  files
    .flatMap(({ cells }) => cells)
    .filter(
      ({ tokens, stamps, capacity, codes }) =>
        tokens.length > capacity || capacity > codes.length || stamps.length !== tokens.length,
    )
    .map(
      ({ address, tokens, stamps, capacity }) =>
        `cell ${JSON.stringify(address)}: ${tokens.length} holders, ${stamps.length} times, capacity ${capacity}`,
    );

/** A token is a customer under Consistent, a customer and a trigger under Varying. */
const tokensWithTwoCodes = ({ given }: PoolTruth): readonly string[] =>
  repeated(given.map(({ token }) => token).filter((token) => token !== tombstone)).map(
    (token) => `${JSON.stringify(token)} holds two codes`,
  );

const intentsToNowhere = ({ files, intents }: PoolTruth): readonly string[] => {
  const cells = new Set(
    files
      .flatMap((file) => file.cells)
      .map(({ address: { generation, attempt, shard, cell } }) =>
        [generation, attempt, shard, cell].join("."),
      ),
  );
  return intents
    .filter((intent) => !cells.has(intent))
    .map((intent) => `an intent names ${intent}: no such cell`);
};

const contextsMissing = ({ given, contextIds }: PoolTruth): readonly string[] =>
  given
    .filter(({ contextId }) => contextId !== "" && !contextIds.has(contextId))
    .map(({ uniqueCode }) => `code ${uniqueCode} was given for a context that is not stored`);

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
