import { execFileSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";

/** A lock that this process holds. */
export interface FileLock {
  /** False when someone has taken it away, by deleting the folder for instance. */
  readonly held: boolean;
  /** Gives it back, if it is still held. */
  release(): void;
}

/** Thrown when a living process holds the lock. */
export class LockedError extends Error {
  constructor(
    readonly file: string,
    readonly pid: number,
  ) {
    super(`${file} is held by process ${pid}.`);
  }
}

interface Holder {
  readonly pid: number;
  /** When the process started: a later one may have the same id. */
  readonly started: string;
}

/** Takes the lock, also from a process that was killed; throws a LockedError when its holder lives. */
export function lockFile(file: string): FileLock {
  mkdirSync(dirname(file), { recursive: true });
  const draft = `${file}.${randomUUID()}`;
  const content = JSON.stringify({ pid: process.pid, started: startOf(process.pid), nonce: randomUUID() });
  writeFileSync(draft, content);
  try {
    while (!linked(draft, file)) {
      const holder = holderOf(file);
      if (holder !== undefined && holder.started !== "" && startOf(holder.pid) === holder.started)
        throw new LockedError(file, holder.pid);
      // The first who moves a dead process's lock out of the way goes on; others find the new one.
      try {
        renameSync(file, `${draft}.stale`);
        rmSync(`${draft}.stale`);
      } catch {
        // Someone else was first.
      }
    }
  } finally {
    rmSync(draft, { force: true });
  }
  return {
    get held() {
      return contentOf(file) === content;
    },
    release() {
      if (this.held) rmSync(file, { force: true });
    },
  };
}

/** `link` fails when the name exists, and the file has its content from the first moment. */
function linked(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

function holderOf(file: string): Holder | undefined {
  try {
    return JSON.parse(contentOf(file) ?? "");
  } catch {
    return undefined;
  }
}

function contentOf(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}

/** A word that stays the same as long as the process lives; empty when there is none. */
function startOf(pid: number): string {
  try {
    if (process.platform === "linux") {
      // State and start are the fields 3 and 22, counted after the name in brackets, which can hold blanks (man 5 proc).
      const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
      const [state = "", ...fields] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      // A killed process that nobody has waited for is still listed.
      return "ZX".includes(state) ? "" : (fields[18] ?? "");
    }
    return execFileSync("ps", ["-o", "lstart=", "-p", String(pid)], { encoding: "utf8" }).trim();
  } catch {
    return "";
  }
}
