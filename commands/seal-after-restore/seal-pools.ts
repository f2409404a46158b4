import { withdraw } from "../../shared/pool/withdrawal.ts";
import { codeFiles, type StoredCodeFile } from "../../shared/storage/code-files.ts";
import { generationsOf } from "../../shared/storage/generations.ts";
import { dynamoPoolStore } from "../../shared/storage/pool-store.ts";
import { startWithdrawal } from "../../shared/storage/publication.ts";

/** A file whose codes, or whose load, must not be used any more. */
export interface FileToSeal {
  readonly promocodeId: string;
  readonly fileId: string;
  readonly status: StoredCodeFile["status"];
  readonly codes: number;
}

/** Files that could still bring or give out a code. */
const isOpen = ({ status, failureCode }: Pick<StoredCodeFile, "status" | "failureCode">): boolean =>
  status === "failed" ? failureCode === "load-failed" : status !== "withdrawn";

export const filesToSeal = async (promocodeIds: readonly string[]): Promise<readonly FileToSeal[]> => {
  const files: FileToSeal[] = [];
  for (const promocodeId of promocodeIds)
    for (const file of await codeFiles.all(promocodeId)) {
      const { fileId, status, codes } = file;
      if (isOpen(file)) files.push({ promocodeId, fileId, status, codes });
    }
  return files;
};

/**
 * Withdraws the file and seals its cells, here and now: nothing of the service needs to run. Begun again, it goes on
 * where it was.
 */
export const sealFile = async ({ promocodeId, fileId }: FileToSeal): Promise<void> => {
  for (;;) {
    const file = await codeFiles.get({ promocodeId, fileId });
    if (!isOpen(file)) return;
    if (file.status === "ready") await startWithdrawal(file);
    else if (file.status === "withdrawing") {
      const generations = await generationsOf(promocodeId);
      const generation = generations.find((each) => each.fileId === fileId);
      if (generation) await withdraw(dynamoPoolStore(promocodeId), generation);
      await codeFiles.markWithdrawn(file);
    } else await codeFiles.withdrawUnloaded(file);
    // It is in another state now: look again.
  }
};
