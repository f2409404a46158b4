import { existsSync, readFileSync } from "node:fs";
import { type FileHandle, open, rename, rm } from "node:fs/promises";

/** A file of JSON lines that only grows; what was acknowledged is on disk. */
export interface Journal<Entry> {
  /** Resolves when the entry is on disk (`fdatasync`). Entries keep the order of the calls; one sync serves many. */
  append(entry: Entry): Promise<void>;
  /** Replaces the history by `entries`, which say the same in fewer words. */
  compact(entries: () => Iterable<Entry>): Promise<void>;
  /** Bytes since the last compaction. */
  readonly bytes: number;
  close(): Promise<void>;
}

/** Reads what a journal holds. A torn last line, left by a crash before its acknowledgement, is not part of it. */
export function readJournal<Entry>(file: string): Entry[] {
  if (!existsSync(file)) return [];
  const lines = readFileSync(file, "utf8").split("\n");
  lines.pop();
  return lines.map((line) => JSON.parse(line) as Entry);
}

/** Opens a journal that begins with the given entries, whatever the file held before. */
export async function openJournal<Entry>(file: string, initial: Iterable<Entry>): Promise<Journal<Entry>> {
  let handle = await rewrite(file, initial);
  let bytes = 0;
  let pending: { lines: string[]; done: Promise<void> } | undefined;
  let last: Promise<void> = Promise.resolve();

  /** Work on the file happens one step after the other. */
  const inTurn = (work: () => Promise<void>): Promise<void> => {
    const done = last.then(work);
    last = done.catch(() => {});
    return done;
  };

  return {
    get bytes() {
      return bytes;
    },
    append(entry) {
      const line = `${JSON.stringify(entry)}\n`;
      bytes += line.length;
      if (pending !== undefined) {
        pending.lines.push(line);
        return pending.done;
      }
      const lines = [line];
      const done = inTurn(async () => {
        pending = undefined;
        await handle.appendFile(lines.join(""));
        await handle.datasync();
      });
      pending = { lines, done };
      return done;
    },
    compact: (entries) =>
      inTurn(async () => {
        // What waits to be written is part of the state that `entries` describes. Writing it twice does no harm as
        // long as entries state absolute facts; not at all would lose it.
        const next = await rewrite(file, [...entries()]);
        await handle.close();
        handle = next;
        bytes = 0;
      }),
    close: () => inTurn(() => handle.close()),
  };
}

/** Writes a new file beside the old one and puts it in its place in one step. */
async function rewrite<Entry>(file: string, entries: Iterable<Entry>): Promise<FileHandle> {
  const draft = `${file}.new`;
  await rm(draft, { force: true });
  const handle = await open(draft, "a");
  let lines: string[] = [];
  for (const entry of entries) {
    lines.push(`${JSON.stringify(entry)}\n`);
    if (lines.length === 1_000) {
      await handle.appendFile(lines.join(""));
      lines = [];
    }
  }
  await handle.appendFile(lines.join(""));
  await handle.datasync();
  await rename(draft, file);
  return handle;
}
