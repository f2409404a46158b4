import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import type { FunctionFacts } from "../template/facts.ts";
import { FunctionError } from "./function-error.ts";
import type { FunctionLog } from "./function-log.ts";

/** Lambda's limit for what goes in and comes out (docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html). */
export const maxPayloadBytes = 6 * 1024 * 1024;

interface WorkerMessage {
  readonly ready?: true;
  readonly failed?: { readonly errorType: string; readonly errorMessage: string };
  readonly id?: number;
  readonly result?: string;
  readonly error?: { readonly errorType: string; readonly errorMessage: string };
}

interface Invocation {
  readonly requestId: string;
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: FunctionError) => void;
  readonly timer: NodeJS.Timeout;
}

/** One environment of a function: a thread with its bundle loaded, from the first invocation until it is ended. */
export class FunctionWorker {
  readonly #worker: Worker;
  readonly #invocations = new Map<number, Invocation>();
  readonly #loaded: Promise<void>;
  #nextId = 1;
  #usable = true;
  #retired = false;

  constructor(
    private readonly facts: FunctionFacts,
    environment: Readonly<Record<string, string>>,
    private readonly log: FunctionLog,
  ) {
    const [file, exportName] = entryOf(facts);
    this.#worker = new Worker(new URL("./worker.mjs", import.meta.url), {
      workerData: {
        file,
        exportName,
        name: facts.name,
        arn: facts.arn,
        memoryMb: facts.memoryMb,
        logGroup: `/aws/lambda/${facts.name}`,
      },
      env: { ...environment },
      // None of the developer's flags, nor the loader that runs our own TypeScript.
      execArgv: [],
      argv: [],
      stdout: true,
      stderr: true,
      resourceLimits: { maxOldGenerationSizeMb: facts.memoryMb },
    });
    log.follow(this.#worker.stdout);
    log.follow(this.#worker.stderr);
    this.#loaded = new Promise((resolve, reject) => {
      this.#worker.on("message", (message: WorkerMessage) => {
        if (message.ready) resolve();
        else if (message.failed !== undefined) {
          this.#usable = false;
          this.log.note(`Could not load: ${message.failed.errorMessage}`);
          reject(new FunctionError(message.failed.errorType, message.failed.errorMessage));
          void this.#worker.terminate();
        } else this.#settle(message);
      });
      this.#worker.on("error", (error: Error) => this.#crash(error.message, reject));
      this.#worker.on("exit", () => this.#crash("exited without providing a reason", reject));
    });
    // Whoever invokes hears of it; this keeps Node from calling it unhandled when nobody does.
    this.#loaded.catch(() => {});
  }

  /** False once it has crashed or is to be ended: use another one. */
  get usable(): boolean {
    return this.#usable && !this.#retired;
  }

  get running(): number {
    return this.#invocations.size;
  }

  /** Runs the function on the event; rejects with a FunctionError. */
  async invoke(event: string): Promise<unknown> {
    if (Buffer.byteLength(event) > maxPayloadBytes)
      throw new FunctionError("RequestTooLarge", `The event has more than ${maxPayloadBytes} bytes.`);
    // Loading has its own limit on AWS (10 s); the function's time starts afterwards.
    await this.#loaded;
    if (!this.#usable) throw new FunctionError("Runtime.ExitError", "The environment has ended.");
    return new Promise((resolve, reject) => {
      const id = this.#nextId++;
      const requestId = randomUUID();
      const timeoutMs = this.facts.timeoutSeconds * 1_000;
      const timer = setTimeout(() => this.#timeOut(id), timeoutMs);
      this.#invocations.set(id, { requestId, resolve, reject, timer });
      this.#worker.postMessage({ id, event, requestId, deadline: Date.now() + timeoutMs });
    });
  }

  /** Ends the thread now; what runs in it is lost. */
  async end(): Promise<void> {
    this.#usable = false;
    await this.#worker.terminate();
  }

  #settle({ id = 0, result, error }: WorkerMessage): void {
    const invocation = this.#finish(id);
    if (invocation === undefined) return;
    if (error !== undefined) invocation.reject(new FunctionError(error.errorType, error.errorMessage));
    else if (result !== undefined && Buffer.byteLength(result) > maxPayloadBytes)
      invocation.reject(
        new FunctionError(
          "Function.ResponseSizeTooLarge",
          `Response payload size exceeded maximum allowed payload size (${maxPayloadBytes} bytes).`,
        ),
      );
    else invocation.resolve(result === undefined ? null : JSON.parse(result));
  }

  /** Lambda ends an environment that overran its time. Others who are still in this one may finish first. */
  #timeOut(id: number): void {
    this.#retired = true;
    const invocation = this.#finish(id);
    if (invocation === undefined) return;
    const message = `Task timed out after ${this.facts.timeoutSeconds.toFixed(2)} seconds`;
    this.log.note(`${invocation.requestId} ${message}`);
    invocation.reject(new FunctionError("Sandbox.Timedout", message));
    if (this.#invocations.size === 0) void this.end();
  }

  #finish(id: number): Invocation | undefined {
    const invocation = this.#invocations.get(id);
    if (invocation === undefined) return undefined;
    clearTimeout(invocation.timer);
    this.#invocations.delete(id);
    if (this.#retired && this.#invocations.size === 0) void this.end();
    return invocation;
  }

  #crash(reason: string, rejectLoading: (error: FunctionError) => void): void {
    this.#usable = false;
    const error = new FunctionError("Runtime.ExitError", `Runtime exited with error: ${reason}`);
    rejectLoading(error);
    if (this.#invocations.size > 0) this.log.note(error.message);
    for (const id of [...this.#invocations.keys()]) this.#finish(id)?.reject(error);
  }
}

/** `handler.handler` is the export `handler` of `handler.mjs`. */
function entryOf(facts: FunctionFacts): [file: string, exportName: string] {
  const dot = facts.handler.lastIndexOf(".");
  const file = join(facts.codeDirectory ?? "", `${facts.handler.slice(0, dot)}.mjs`);
  return [file, facts.handler.slice(dot + 1)];
}
