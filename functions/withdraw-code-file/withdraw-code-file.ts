import { codeFileLoading } from "../../shared/domain/failures.ts";
import { sendMessage } from "../../shared/queues/send-message.ts";
import { codeFiles, type StoredCodeFile } from "../../shared/storage/code-files.ts";
import { fileBeingLoaded } from "../../shared/storage/load-locks.ts";
import { startWithdrawal } from "../../shared/storage/publication.ts";

interface FileKey {
  readonly promocodeId: string;
  readonly fileId: string;
}

/**
 * A file that is not loaded is never loaded; one whose load has died counts as such. A ready one gives out no more
 * codes once its cells are sealed, which another function does. Asked again, it asks for the sealing again.
 */
export const withdrawCodeFile = async (key: FileKey, now: Date): Promise<StoredCodeFile> => {
  for (;;) {
    const file = await codeFiles.get(key);
    switch (file.status) {
      case "loading":
        if ((await fileBeingLoaded(file.promocodeId, now)) === file.fileId)
          throw codeFileLoading(file.fileId);
        if (await codeFiles.withdrawUnloaded(file)) continue;
        break;
      case "awaiting-upload":
      case "queued":
        if (await codeFiles.withdrawUnloaded(file)) continue;
        break;
      case "ready":
        if (await startWithdrawal(file)) continue;
        break;
      case "withdrawing":
        await sendMessage("withdrawals", { promocodeId: file.promocodeId, fileId: file.fileId });
        return file;
      case "failed":
        // A fault of the service: a message from the dead letters would load it after all.
        if (file.failureCode !== "load-failed") return file;
        if (await codeFiles.withdrawUnloaded(file)) continue;
        break;
      case "withdrawn":
        return file;
    }
    // It moved on in between: look again.
  }
};
