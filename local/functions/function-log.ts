import { createWriteStream, mkdirSync, renameSync, statSync, type WriteStream } from "node:fs";
import { join } from "node:path";
import type { Readable } from "node:stream";

/** Where a function's output goes: `<directory>/<name>.log`, and `.log.1` for what came before. */
export interface FunctionLog {
  readonly file: string;
  /** Copies what a worker writes. */
  follow(output: Readable): void;
  /** A line of the runtime's own, such as a time-out. */
  note(line: string): void;
  close(): Promise<void>;
}

const maxBytes = 10 * 1024 * 1024;

/** Opens the log of a function; it never takes more than twice 10 MB. */
export function openFunctionLog(directory: string, name: string): FunctionLog {
  mkdirSync(directory, { recursive: true });
  const file = join(directory, `${name}.log`);
  let bytes = sizeOf(file);
  let stream: WriteStream | undefined;
  let closed = false;

  const write = (chunk: Buffer | string) => {
    if (closed) return;
    if (bytes > maxBytes) {
      stream?.end();
      stream = undefined;
      renameSync(file, `${file}.1`);
      bytes = 0;
    }
    stream ??= createWriteStream(file, { flags: "a" }).on("error", () => {
      // A log that cannot be written, on a full disk say, must not end the service.
      closed = true;
    });
    bytes += chunk.length;
    stream.write(chunk);
  };
  return {
    file,
    follow: (output) => void output.on("data", write),
    note: (line) => write(`${new Date().toISOString()} ${line}\n`),
    close: () =>
      new Promise((resolve) => {
        closed = true;
        if (stream === undefined) resolve();
        else stream.end(resolve);
      }),
  };
}

function sizeOf(file: string): number {
  try {
    return statSync(file).size;
  } catch {
    return 0;
  }
}
