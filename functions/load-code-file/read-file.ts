import { maxCodesPerFile, maxFileBytes } from "../../shared/contract/conventions.ts";
import { fileTooLarge, notACsvFile, objectGone, tooManyCodes } from "../../shared/domain/file-refused.ts";
import { openObject } from "../../shared/files/buckets.ts";
import { readCodes } from "../../shared/files/csv-reader.ts";
import type { Rejects } from "../../shared/files/rejects.ts";
import type { Salt } from "../../shared/pool/hash.ts";
import { CodeTable } from "../../shared/pool/loading/code-table.ts";
import { SortedCodes } from "../../shared/pool/loading/sorted-codes.ts";
import type { StoredCodeFile } from "../../shared/storage/code-files.ts";
import type { Progress } from "./load-run.ts";

/** What a file holds, before it is compared with the pool. */
export interface FileCodes {
  readonly codes: SortedCodes;
  readonly rowsRead: number;
  readonly duplicatesInFile: number;
  readonly header: string | null;
}

export interface Reading {
  readonly salt: Salt;
  readonly rejects: Rejects;
  readonly progress: Progress;
  readonly signal: AbortSignal;
}

/** Streams the file's object and keeps its valid codes, each once. Throws `FileRefused` for a file that is none. */
export const readFile = async (
  { objectKey, versionId, fileName }: StoredCodeFile,
  { salt, rejects, progress, signal }: Reading,
): Promise<FileCodes> => {
  if (!/\.csv$/i.test(fileName)) throw notACsvFile();
  if (objectKey === null) throw objectGone();
  const { bytes, chunks } = await openObject({ objectKey, versionId });
  if (bytes > maxFileBytes) throw fileTooLarge(maxFileBytes);

  const table = new CodeTable(bytes, maxCodesPerFile, salt);
  const { header, rowsRead } = await readCodes(chunks, {
    code: (source, start, end) => {
      if (!table.add(source, start, end)) throw tooManyCodes(maxCodesPerFile);
    },
    rejected: (line, reason, cell) => rejects.add(line, reason, cell),
    afterRows: async (rows) => {
      signal.throwIfAborted();
      await rejects.drained();
      await progress.report({ rowsRead: rows });
    },
  });
  const codes = new SortedCodes(table);
  return { codes, rowsRead, duplicatesInFile: table.count - codes.count, header };
};
