import { setTimeout as sleep } from "node:timers/promises";
import type { AllocationMethod } from "../../shared/contract/promocodes.ts";
import type { PersonalizedPromocode } from "../../shared/domain/promocode.ts";
import { codeFiles } from "../../shared/storage/code-files.ts";
import { type Counts, countsOf } from "../../shared/storage/counts.ts";
import { generationsOf } from "../../shared/storage/generations.ts";
import { promocodes } from "../../shared/storage/promocodes.ts";
import { breachesOfRecords, type Records } from "./file-rules.ts";
import { type Finding, Findings } from "./findings.ts";
import { type GenerationTotals, type HolderTotals, PoolWalk, type WalkProgress } from "./walk-pool.ts";

/** What a walk through a pool found. */
export interface PoolReport {
  readonly promocodeId: string;
  readonly method: AllocationMethod;
  readonly generations: number;
  readonly cells: number;
  readonly codes: number;
  /** Codes that are taken, by those who were erased too. */
  readonly allocated: number;
  /** Codes that can still be given out. */
  readonly free: number;
  /** Codes that were withdrawn before anybody got them. */
  readonly withdrawn: number;
  readonly holders: Readonly<HolderTotals>;
  /** Breaches of the rules. */
  readonly findings: readonly Finding[];
  /** What may be a breach, and may be nothing but lateness. */
  readonly warnings: readonly Finding[];
}

export interface Verification {
  readonly onProgress?: (progress: WalkProgress) => void;
  /** How long the counts, which follow by a second or two, are waited for. @default 30 seconds */
  readonly countsPatienceMs?: number;
  /** Pauses before each look at what a write under way may explain. @default 0, 1 and 3 seconds */
  readonly looks?: readonly number[];
}

const askAgainMs = 500;

/**
 * Walks through the pool of a promocode, which may be in use, and holds every cell, holder, code and record against the
 * rules that the pool's promises rest on. Changes nothing.
 */
export const verifyPool = async (
  promocodeId: string,
  { onProgress, countsPatienceMs = 30_000, looks = [0, 1_000, 3_000] }: Verification = {},
): Promise<PoolReport> => {
  const findings = new Findings(looks);
  const promocode = await personalized(promocodeId);
  for (const finding of await settledBreaches(promocodeId, looks)) findings.add(finding);

  // Files before generations before counts before cells: what the former say holds of the latter, and stays so.
  const files = await codeFiles.all(promocodeId);
  const generations = await generationsOf(promocodeId);
  const countsBefore = await countsOf(promocodeId);
  const isWithdrawn = new Set(
    files.filter(({ status }) => status === "withdrawn").map(({ fileId }) => fileId),
  );
  const sealed = new Set(
    generations.filter(({ fileId }) => isWithdrawn.has(fileId)).map(({ number }) => number),
  );
  const walk = new PoolWalk({ promocodeId, salt: promocode.salt, generations, sealed }, findings);
  await walk.walk(onProgress);

  const fileIdOf = new Map(generations.map(({ number, fileId }) => [number, fileId]));
  const heldByFile = new Map(
    [...walk.totals].map(([number, { holders }]) => [fileIdOf.get(number) ?? "", holders]),
  );
  for (const { number, fileId, codes } of generations) {
    const found = walk.totals.get(number)?.codes ?? 0;
    if (found !== codes)
      findings.add({
        rule: "codes-miscounted",
        where: `file ${fileId}`,
        detail: `its record says ${codes} codes, its cells hold ${found}`,
      });
  }
  for (const finding of tooHigh(countsBefore, heldByFile)) findings.add(finding);
  for (const finding of await breachesOfHead(promocode, walk)) findings.add(finding);

  return {
    promocodeId,
    method: promocode.uniqueCodes.allocationMethod,
    generations: generations.length,
    ...sumsOf(walk.totals),
    holders: walk.holders,
    findings: await findings.settle(),
    warnings: await countsBehind(promocodeId, heldByFile, countsPatienceMs),
  };
};

const personalized = async (promocodeId: string): Promise<PersonalizedPromocode> => {
  const promocode = await promocodes.get(promocodeId);
  if (promocode.type !== "personalized") throw new Error(`${promocodeId} is global: it has no pool.`);
  return promocode;
};

/** Breaches that are in every one of several reads: a write between two items explains those that are not. */
const settledBreaches = async (
  promocodeId: string,
  looks: readonly number[],
): Promise<readonly Finding[]> => {
  let open: readonly Finding[] | undefined;
  for (const pauseMs of looks) {
    await sleep(pauseMs);
    const now = breachesOfRecords(await readRecords(promocodeId));
    const names = new Set(now.map(nameOf));
    open = open?.filter((finding) => names.has(nameOf(finding))) ?? now;
    if (open.length === 0) break;
  }
  return open ?? [];
};

const nameOf = ({ rule, where }: Finding): string => `${rule} ${where}`;

const readRecords = async (promocodeId: string): Promise<Records> => {
  const { base, lastGeneration } = await personalized(promocodeId);
  const generations = await generationsOf(promocodeId);
  return { base, lastGeneration, generations, files: await codeFiles.all(promocodeId) };
};

/** Counts lag, so they were never above what is held: what was counted before the walk is held at its end. */
const tooHigh = (counts: Counts, heldByFile: ReadonlyMap<string, number>): readonly Finding[] =>
  [...heldByFile].flatMap(([fileId, held]) => {
    const counted = counts.allocatedByFile.get(fileId) ?? 0;
    return counted > held
      ? [{ rule: "count-too-high", where: `file ${fileId}`, detail: `${counted} counted, ${held} held` }]
      : [];
  });

/**
 * Codes only become more, so the counts must come to what the walk saw, sooner or later. While codes are given out
 * this cannot tell a small loss from news: what is missing is made up for by what came since.
 */
const countsBehind = async (
  promocodeId: string,
  heldByFile: ReadonlyMap<string, number>,
  patienceMs: number,
): Promise<readonly Finding[]> => {
  const deadline = Date.now() + patienceMs;
  for (;;) {
    const { allocatedByFile } = await countsOf(promocodeId);
    const behind = [...heldByFile].flatMap(([fileId, held]): readonly Finding[] => {
      const counted = allocatedByFile.get(fileId) ?? 0;
      return counted < held
        ? [{ rule: "count-behind", where: `file ${fileId}`, detail: `${counted} counted, ${held} held` }]
        : [];
    });
    if (behind.length === 0 || Date.now() >= deadline) return behind;
    await sleep(askAgainMs);
  }
};

/** The promocode's head, read again after the cells: by then it must say what they imply. */
const breachesOfHead = async (before: PersonalizedPromocode, walk: PoolWalk): Promise<readonly Finding[]> => {
  const { base, uniqueCodes, createdAt, updatedAt } = await personalized(before.promocodeId);
  const { consistent, varying, erased } = walk.holders;
  const findings: Finding[] = [];
  const where = "the promocode";
  if (base === undefined && consistent + varying + erased > 0)
    findings.push({ rule: "base-missing", where, detail: `${consistent + varying + erased} codes are held` });
  const known = before.base ?? (await walk.base());
  if (known !== undefined && base !== known)
    findings.push({ rule: "base-moved", where, detail: `it was ${known}, now it is ${base ?? "none"}` });
  const foreign = uniqueCodes.allocationMethod === "Consistent" ? varying : consistent;
  if (createdAt === updatedAt && foreign > 0)
    findings.push({
      rule: "method-foreign",
      where,
      detail: `it was ${uniqueCodes.allocationMethod} from the beginning, ${foreign} tokens are of the other method`,
    });
  return findings;
};

const sumsOf = (totals: ReadonlyMap<number, GenerationTotals>) => {
  const sums = { cells: 0, codes: 0, allocated: 0, withdrawn: 0 };
  for (const { cells, codes, holders, sealed } of totals.values()) {
    sums.cells += cells;
    sums.codes += codes;
    sums.allocated += holders;
    sums.withdrawn += sealed;
  }
  return { ...sums, free: sums.codes - sums.allocated - sums.withdrawn };
};
