import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";

/** An answer of a program that ran in a process of its own, and what the process took for it. */
export interface Measured<Answer> {
  readonly answer: Answer;
  readonly seconds: number;
  /** User and system time of all its threads, from the task to the answer: loading the program is not in it. */
  readonly cpuSeconds: number;
  /** The most memory that was ever resident, Node itself and the program included. */
  readonly peakRssMb: number;
}

interface Failed {
  readonly failed: string;
}

const lastWordsLength = 4_000;

/** A program of `bench/apart/` in a process of its own, with this process's environment. It ends when this one does. */
export class Apart {
  readonly #child: ChildProcess;
  /** By itself, with all that it said. Not known of one that was let go: Node tells then only that it exited. */
  readonly #ended: Promise<unknown[]>;
  readonly #exited: Promise<unknown[]>;
  #lastWords = "";

  constructor(program: string) {
    this.#child = fork(new URL(`../apart/${program}.ts`, import.meta.url), {
      execArgv: ["--import", "tsx", "--no-warnings"],
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

/** Runs a program of `bench/apart/` that is one `measureTask`, so that what it takes is its own alone. */
export const runApart = async <Answer>(program: string, task: object): Promise<Measured<Answer>> => {
  const apart = new Apart(program);
  try {
    const message = (await apart.next(task)) as Measured<Answer> | Failed;
    if ("failed" in message) throw new Error(message.failed);
    return message;
  } finally {
    await apart.close();
  }
};

/** The whole of such a program: waits for its task, does it, answers, and ends. */
export const measureTask = <Task, Answer>(work: (task: Task) => Promise<Answer>): void => {
  process.once("disconnect", () => process.exit());
  process.once("message", async (task: Task) => {
    const cpu = process.cpuUsage();
    const begun = performance.now();
    const message = await work(task).then(
      (answer): Measured<Answer> => {
        const { user, system } = process.cpuUsage(cpu);
        return {
          answer,
          seconds: (performance.now() - begun) / 1_000,
          cpuSeconds: (user + system) / 1e6,
          peakRssMb: process.resourceUsage().maxRSS / 1_024,
        };
      },
      (error: unknown): Failed => ({ failed: error instanceof Error ? String(error.stack) : String(error) }),
    );
    process.send?.(message);
  });
};
