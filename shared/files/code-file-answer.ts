import type { CodeFile } from "../contract/code-files.ts";
import type { StoredCodeFile } from "../storage/code-files.ts";
import { type Counts, countsOf } from "../storage/counts.ts";
import { presignedDownload } from "./export-file.ts";
import { problemsOnRecord, rejectsKey } from "./rejects.ts";

/** The file as the API tells it, with what was handed out of it and, on this call, where all its problems are. */
export const codeFileAnswer = async (file: StoredCodeFile, now: Date): Promise<CodeFile> =>
  describeCodeFile(file, await countsOf(file.promocodeId), now);

/** The same for a file that is just announced: nothing can have been handed out of it. */
export const announcedFileAnswer = (file: StoredCodeFile, now: Date): Promise<CodeFile> =>
  describeCodeFile(file, { allocatedByFile: new Map(), defaultsGiven: 0, countedAt: undefined }, now);

/** The same for a page of one promocode's files, in its order. */
export const codeFileAnswers = async (
  promocodeId: string,
  files: readonly StoredCodeFile[],
  now: Date,
): Promise<CodeFile[]> => {
  const counts = await countsOf(promocodeId);
  return Promise.all(files.map((file) => describeCodeFile(file, counts, now)));
};

/** A file's problems are listed in full once reading it is over. */
const listsAllProblems = ({ status, rejected }: StoredCodeFile): boolean =>
  rejected > problemsOnRecord && status !== "loading" && status !== "queued";

const describeCodeFile = async (file: StoredCodeFile, counts: Counts, now: Date): Promise<CodeFile> => {
  const allocated = Math.min(file.codes, counts.allocatedByFile.get(file.fileId) ?? 0);
  const rejects = listsAllProblems(file)
    ? await presignedDownload(rejectsKey(file.fileId), `rejected-rows-${file.fileId}.csv`, now)
    : undefined;
  return {
    fileId: file.fileId,
    promocodeId: file.promocodeId,
    fileName: file.fileName,
    source: file.source,
    status: file.status,
    rowsRead: file.rowsRead,
    codes: file.codes,
    duplicatesInFile: file.duplicatesInFile,
    duplicatesInPool: file.duplicatesInPool,
    rejected: file.rejected,
    header: file.header,
    allocated,
    available: file.status === "ready" ? file.codes - allocated : 0,
    problems: file.problems,
    ...(rejects && { rejectsUrl: rejects.downloadUrl }),
    ...(file.failureCode !== null && {
      failure: { code: file.failureCode, message: file.failureMessage ?? "" },
    }),
    createdAt: file.createdAt,
    ...(file.loadedAt !== null && { loadedAt: file.loadedAt }),
  };
};
