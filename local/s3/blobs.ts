import { randomUUID } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { syncFolder } from "./journal.ts";

/** Bytes at rest: a file of its own under a random name. It is written once, never changed, and belongs to one object or part. */
export interface Blob {
  readonly id: string;
  readonly size: number;
}

/** Bytes on their way out. Whoever opened it closes it, also if it was never read. */
export interface BlobReader {
  readonly chunks: AsyncIterable<Buffer>;
  close(): void;
}

interface Run {
  readonly id: string;
  readonly start: number;
  readonly end: number;
}

const bufferBytes = 1024 * 1024;

/** The folder of the bytes. A blob that no journal line speaks of is waste, whatever the reason. */
export class Blobs {
  readonly #readersById = new Map<string, number>();
  readonly #released = new Set<string>();

  private constructor(private readonly folder: string) {}

  static async open(folder: string): Promise<Blobs> {
    await mkdir(folder, { recursive: true });
    return new Blobs(folder);
  }

  /** Resolves when all bytes are on disk; leaves nothing behind if the source fails. */
  async write(chunks: AsyncIterable<Buffer>): Promise<Blob> {
    const id = randomUUID();
    const path = join(this.folder, id);
    const file = createWriteStream(path, { flags: "wx", flush: true, highWaterMark: bufferBytes });
    try {
      await pipeline(chunks, file);
      await syncFolder(this.folder);
    } catch (reason) {
      await rm(path, { force: true });
      throw reason;
    }
    return { id, size: file.bytesWritten };
  }

  /**
   * Opens the bytes from `start` to `end` (inclusive) of the blobs in a row. They stay readable until the reader is
   * closed, also when they are released meanwhile.
   */
  openReader(blobs: readonly Blob[], start: number, end: number): BlobReader {
    const runs: Run[] = [];
    let offset = 0;
    for (const { id, size } of blobs) {
      const run = { id, start: Math.max(start - offset, 0), end: Math.min(end - offset, size - 1) };
      if (run.start <= run.end) runs.push(run);
      offset += size;
    }
    for (const { id } of runs) this.#readersById.set(id, (this.#readersById.get(id) ?? 0) + 1);
    return {
      chunks: this.#chunksOf(runs),
      close: () => {
        for (const { id } of runs.splice(0)) this.#unpin(id);
      },
    };
  }

  async *#chunksOf(runs: readonly Run[]): AsyncGenerator<Buffer> {
    for (const { id, start, end } of [...runs]) {
      yield* createReadStream(join(this.folder, id), { start, end, highWaterMark: bufferBytes / 4 });
    }
  }

  /** Deletes a blob as soon as nobody reads it any more. */
  release(id: string): void {
    if (this.#readersById.has(id)) this.#released.add(id);
    else this.#remove(id);
  }

  /** Deletes what a crash left behind: every blob that `isOwned` does not know. */
  async sweep(isOwned: (id: string) => boolean): Promise<void> {
    for (const id of await readdir(this.folder)) {
      if (!isOwned(id)) await rm(join(this.folder, id), { force: true });
    }
  }

  #unpin(id: string): void {
    const readers = (this.#readersById.get(id) ?? 1) - 1;
    if (readers > 0) {
      this.#readersById.set(id, readers);
      return;
    }
    this.#readersById.delete(id);
    if (this.#released.delete(id)) this.#remove(id);
  }

  #remove(id: string): void {
    // Whatever stays behind is swept at the next start.
    rm(join(this.folder, id), { force: true }).catch((reason) =>
      console.error(`Blob ${id} was not deleted.`, reason),
    );
  }
}
