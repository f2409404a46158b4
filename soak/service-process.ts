import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { Endpoints } from "../local/local-service.ts";
import { ServiceClient } from "../test/support/service-client.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const startMs = 180_000;

/** The service as `npm start` runs it, in a process of its own, on one directory and one port for all its lives. */
export class ServiceProcess {
  readonly directory: string;
  #child: ChildProcess | undefined;
  #client: ServiceClient | undefined;
  #port = "0";

  constructor(directory: string) {
    this.directory = directory;
  }

  /** Of the last start: a service that comes back keeps its address and keys, its engine has a new port. */
  get client(): ServiceClient {
    if (this.#client === undefined) throw new Error("The service was not started.");
    return this.#client;
  }

  async start(): Promise<void> {
    const file = join(this.directory, "endpoints.json");
    rmSync(file, { force: true });
    const child = spawn(
      process.execPath,
      ["--import", "tsx", "local/start.ts", "--directory", this.directory, "--port", this.#port],
      { cwd: root, stdio: ["ignore", "ignore", "inherit"] },
    );
    this.#child = child;
    for (let waited = 0; !existsSync(file); waited += 100) {
      if (child.exitCode !== null) throw new Error(`The service ended with ${child.exitCode}.`);
      if (waited > startMs) throw new Error("The service did not start.");
      await sleep(100);
    }
    const endpoints = JSON.parse(readFileSync(file, "utf8")) as Endpoints;
    this.#port = new URL(endpoints.apiUrl).port;
    this.#client = new ServiceClient(endpoints);
  }

  /** @param signal SIGTERM lets calls end, SIGKILL does not. */
  async stop(signal: "SIGTERM" | "SIGKILL"): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, "exit");
    child.kill(signal);
    await exited;
  }

  /** Resident memory in MB, of the service alone: the engine is a process of its own. Linux. */
  memoryMb(): number | undefined {
    try {
      const status = readFileSync(`/proc/${this.#child?.pid}/status`, "utf8");
      return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) / 1024;
    } catch {
      return undefined;
    }
  }
}
