import { type FileHandle, open, readFile, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";

/** What the journal is the memory of. */
export interface JournalSubject<Change> {
  /** Takes a change in; called in the order of the file, once it is safely on disk. It must not fail. */
  apply(change: Change): void;
  /** The changes that would bring about the present state from nothing. */
  snapshot(): Iterable<readonly Change[]>;
}

interface Waiting<Change> {
  readonly changes: readonly Change[];
  readonly resolve: () => void;
  readonly reject: (reason: unknown) => void;
}

/** Below this many lines the file is not worth rewriting. */
const leastLinesToCompact = 1_000;
const snapshotBatchLines = 500;

/**
 * A file of changes, one JSON line for those that happen together: either all of a line took place or nothing of it.
 * Lines that wait at the same time share one write and one fsync. A line that was torn by a crash is cut off on opening.
 */
export class Journal<Change> {
  #waiting: Waiting<Change>[] = [];
  #working: Promise<void> | undefined;
  #closed = false;

  private constructor(
    private readonly path: string,
    private readonly subject: JournalSubject<Change>,
    private file: FileHandle,
    private size: number,
    private lines: number,
    private linesToCompact: number,
  ) {}

  /** Replays the file into the subject. */
  static async open<Change>(path: string, subject: JournalSubject<Change>): Promise<Journal<Change>> {
    const file = await open(path, "a");
    const content = await readFile(path);

    let size = 0;
    let lines = 0;
    for (let end = content.indexOf(10); end !== -1; end = content.indexOf(10, size)) {
      const changes: readonly Change[] = JSON.parse(content.toString("utf8", size, end));
      for (const change of changes) subject.apply(change);
      size = end + 1;
      lines++;
    }
    await file.truncate(size);
    await syncFolder(dirname(path));

    const journal = new Journal(path, subject, file, size, lines, leastLinesToCompact);
    await journal.#compactIfWorthwhile();
    return journal;
  }

  /** Resolves when the changes are on disk and applied. */
  append(changes: readonly Change[]): Promise<void> {
    if (this.#closed) return Promise.reject(new Error("The journal is closed."));
    return new Promise((resolve, reject) => {
      this.#waiting.push({ changes, resolve, reject });
      this.#working ??= this.#work();
    });
  }

  /** Writes what still waits and lets go of the file. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#working;
    await this.file.close();
  }

  async #work(): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = this.#waiting;
      this.#waiting = [];
      try {
        await this.#write(batch);
      } catch (reason) {
        for (const { reject } of batch) reject(reason);
        continue;
      }
      for (const { changes, resolve } of batch) {
        for (const change of changes) this.subject.apply(change);
        resolve();
      }
      await this.#compactIfWorthwhile().catch((reason) =>
        console.error("The journal could not be compacted.", reason),
      );
    }
    // Not in a `finally` behind the promise: whoever came in between would wait for ever.
    this.#working = undefined;
  }

  async #write(batch: readonly Waiting<Change>[]): Promise<void> {
    const text = Buffer.from(batch.map(({ changes }) => `${JSON.stringify(changes)}\n`).join(""));
    try {
      await this.file.appendFile(text);
      await this.file.datasync();
    } catch (reason) {
      // A full disk may have taken half a line. It has to go, or it would swallow the next one.
      await this.file.truncate(this.size);
      throw reason;
    }
    this.size += text.length;
    this.lines += batch.length;
  }

  async #compactIfWorthwhile(): Promise<void> {
    if (this.lines < this.linesToCompact) return;

    const draft = `${this.path}.draft`;
    await rm(draft, { force: true });
    const file = await open(draft, "ax");
    let lines = 0;
    let size = 0;
    let text = "";
    const flush = async () => {
      await file.appendFile(text);
      size += Buffer.byteLength(text);
      text = "";
    };
    try {
      // Nothing else applies changes while this runs, so the state holds still over the awaits.
      for (const changes of this.subject.snapshot()) {
        text += `${JSON.stringify(changes)}\n`;
        if (++lines % snapshotBatchLines === 0) await flush();
      }
      await flush();
      await file.sync();
      await rename(draft, this.path);
    } catch (reason) {
      await file.close();
      throw reason;
    }

    const before = this.file;
    this.file = file;
    this.size = size;
    this.lines = lines;
    this.linesToCompact = Math.max(leastLinesToCompact, 2 * lines);
    await before.close();
    await syncFolder(dirname(this.path));
  }
}

/** Makes the names in a folder durable. Windows cannot open folders and does not need it. */
export async function syncFolder(path: string): Promise<void> {
  if (process.platform === "win32") return;
  const folder = await open(join(path, "."), "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
