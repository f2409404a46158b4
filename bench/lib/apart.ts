import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import type { Failed, Measured } from "./measure-task.ts";

const fileOf = (program: string): string => fileURLToPath(new URL(`../apart/${program}.ts`, import.meta.url));

const lastWordsLength = 4_000;

/** A program of `bench/apart/` in a process of its own, with this process's environment. It ends when this one does. */
export class Apart {
  readonly #child: ChildProcess;
  /** By itself, with all that it said. Not known of one that was let go: Node tells then only that it exited. */
  readonly #ended: Promise<unknown[]>;
  readonly #exited: Promise<unknown[]>;
  #lastWords = "";

  /** `bundle`: the program as one file of JavaScript. @default as it stands, by way of tsx */
  constructor(program: string, bundle?: string) {
    this.#child = fork(bundle ?? fileOf(program), {
      execArgv: [...(bundle === undefined ? ["--import", "tsx"] : []), "--no-warnings"],
      stdio: ["ignore", "ignore", "pipe", "ipc"],
    });
    this.#ended = once(this.#child, "close");
    this.#exited = once(this.#child, "exit");
    this.#child.stderr?.on("data", (chunk: Buffer) => {
      this.#lastWords = (this.#lastWords + chunk.toString()).slice(-lastWordsLength);
    });
  }

  /** Its next message, after it was sent one if need be. Throws with its last words when it ends without one. */
  async next(message?: object): Promise<unknown> {
    const answered = new AbortController();
    const answer = once(this.#child, "message", { signal: answered.signal });
    if (message !== undefined) this.#child.send(message);
    const ended = this.#ended.then(([code, signal]) => {
      throw new Error(`A program of the bench ended with ${signal ?? code}.\n${this.#lastWords}`);
    });
    try {
      const [received] = await Promise.race([answer, ended]);
      return received;
    } finally {
      answered.abort();
    }
  }

  /** Lets go of it, and waits until it is gone. */
  async close(): Promise<void> {
    if (this.#child.connected) this.#child.disconnect();
    await this.#exited;
  }
}

/**
 * Runs a program of `bench/apart/` that is one `measureTask`, so that what it takes is its own alone. It is bundled, as
 * functions are that are deployed: tsx and a thousand files of the SDK would be 45 MB of its memory.
 */
export const runApart = async <Answer>(program: string, task: object): Promise<Measured<Answer>> => {
  const directory = await mkdtemp(join(tmpdir(), "codewell-bench-"));
  try {
    const apart = new Apart(program, await bundleInto(directory, program));
    try {
      const message = (await apart.next(task)) as Measured<Answer> | Failed;
      if ("failed" in message) throw new Error(message.failed);
      return message;
    } finally {
      await apart.close();
    }
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
};

/** As `infra/build.ts` bundles functions, but not minified. */
const bundleInto = async (directory: string, program: string): Promise<string> => {
  const outfile = join(directory, `${program}.mjs`);
  await build({
    entryPoints: [fileOf(program)],
    outfile,
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node20",
    mainFields: ["module", "main"],
    // csv-parser calls `require`, which an ES module does not have.
    banner: {
      js: 'import { createRequire } from "node:module";const require = createRequire(import.meta.url);',
    },
    logLevel: "warning",
  });
  return outfile;
};
