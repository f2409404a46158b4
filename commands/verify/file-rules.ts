import type { Generation } from "../../shared/pool/generation.ts";
import type { StoredCodeFile } from "../../shared/storage/code-files.ts";
import type { Finding } from "./findings.ts";

/** What a promocode's head, its files and its generations say of each other, read one after another. */
export interface Records {
  readonly base: number | undefined;
  readonly lastGeneration: number;
  readonly generations: readonly Generation[];
  readonly files: readonly StoredCodeFile[];
}

/** Where these records do not agree. A write between the reads can explain it: read again before you believe it. */
export const breachesOfRecords = (records: Records): readonly Finding[] => [
  ...breachesOfNumbers(records),
  ...records.files.flatMap((file) => breachesOfFile(file, records.generations)),
  ...records.generations.flatMap((generation) => breachesOfGeneration(generation, records.files)),
];

const breachesOfNumbers = ({ base, lastGeneration, generations }: Records): readonly Finding[] => {
  const findings: Finding[] = [];
  const isGapless = generations.every(({ number }, at) => number === at + 1);
  if (!isGapless || generations.length !== lastGeneration)
    findings.push({
      rule: "generations-gap",
      where: "the promocode",
      detail: `the last one is ${lastGeneration}; there are ${generations.map(({ number }) => number).join(", ") || "none"}`,
    });
  if (base !== undefined && !generations.some(({ number }) => number === base))
    findings.push({ rule: "base-unknown", where: "the promocode", detail: `the base is ${base}` });
  return findings;
};

/** Status of the generation that a file of this status has; absent: it has none. */
const generationStatus: Partial<Record<StoredCodeFile["status"], Generation["status"]>> = {
  ready: "published",
  withdrawing: "withdrawn",
  withdrawn: "withdrawn",
};

const breachesOfFile = (file: StoredCodeFile, generations: readonly Generation[]): readonly Finding[] => {
  const { fileId, status, generation: number, codes } = file;
  const breach = (detail: string): Finding => ({ rule: "file-mismatch", where: `file ${fileId}`, detail });
  if (number === null)
    return status === "ready" && codes > 0 ? [breach(`it says ${codes} codes and names no generation`)] : [];
  const generation = generations.find((each) => each.number === number);
  if (!generation) return [breach(`it is ${status} and names generation ${number}, which does not exist`)];
  if (generation.fileId !== fileId) return [breach(`generation ${number} is of another file`)];
  if (generation.status !== generationStatus[status])
    return [breach(`it is ${status}, generation ${number} is ${generation.status}`)];
  if (generation.codes !== codes)
    return [breach(`it says ${codes} codes, generation ${number} says ${generation.codes}`)];
  return [];
};

const breachesOfGeneration = (
  { number, fileId }: Generation,
  files: readonly StoredCodeFile[],
): readonly Finding[] => {
  const file = files.find((each) => each.fileId === fileId);
  if (file?.generation === number) return [];
  const detail = file ? `file ${fileId} does not name it` : `file ${fileId} does not exist`;
  return [{ rule: "file-mismatch", where: `generation ${number}`, detail }];
};
