import { codeFiles, type FileContent, type LoadRun } from "../../shared/storage/code-files.ts";
import { LockLost } from "../../shared/storage/load-locks.ts";

const reportEveryMs = 1_000;

/** Throws when the run has lost its right to load the file. */
export const assertOwn = (isOwn: boolean): void => {
  if (!isOwn) throw new LockLost("another run loads the file, or it was withdrawn");
};

/** Tells on the file's record how far a run is, about once a second. */
export class Progress {
  readonly #run: LoadRun;
  #reportedAt = Date.now();
  #rowsRead = 0;

  constructor(run: LoadRun) {
    this.#run = run;
  }

  get rowsRead(): number {
    return this.#rowsRead;
  }

  /** Undefined when it is not time to report yet. Throws `LockLost` when the file is not this run's any more. */
  report(content: Pick<FileContent, "rowsRead"> & Partial<FileContent>): Promise<void> | undefined {
    this.#rowsRead = content.rowsRead;
    if (Date.now() - this.#reportedAt < reportEveryMs) return undefined;
    this.#reportedAt = Date.now();
    return codeFiles.reportProgress(this.#run, content).then(assertOwn);
  }
}
