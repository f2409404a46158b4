import { codeFileFailed, codeFileLoaded, type ServiceEvent } from "../../shared/domain/service-events.ts";
import { tellOnce } from "../../shared/queues/tell-once.ts";
import { codeFiles, type StoredCodeFile } from "../../shared/storage/code-files.ts";

/** Tells on the bus that the file is in the pool, or that it failed; nothing of what was told before. */
export const tellOutcome = async (
  key: Pick<StoredCodeFile, "promocodeId" | "fileId">,
  now: Date,
): Promise<void> => {
  const file = await codeFiles.find(key);
  if (file) await tellOnce(outcomeOf(file, now), file.told, (name) => codeFiles.markTold(file, name));
};

const outcomeOf = (file: StoredCodeFile, now: Date): ServiceEvent | undefined => {
  const { promocodeId, fileId, source, codes, duplicatesInFile, duplicatesInPool, rejected } = file;
  // A file can be withdrawn before it was told that it was loaded.
  if (file.loadedAt !== null)
    return codeFileLoaded({
      occurredAt: file.loadedAt,
      promocodeId,
      fileId,
      source,
      codes,
      duplicatesInFile,
      duplicatesInPool,
      rejected,
    });
  if (file.status !== "failed" || file.failureCode === null) return undefined;
  const { failureCode } = file;
  return codeFileFailed({ occurredAt: now.toISOString(), promocodeId, fileId, source, failureCode });
};
