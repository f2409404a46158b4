import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { request } from "node:http";
import { createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

/** A database server of another language, run as a child. */
export interface EngineProcess {
  /** `http://127.0.0.1:<port>`, already answering. */
  readonly endpoint: string;
  /** Resolves when the process has ended, for whatever reason. */
  readonly gone: Promise<void>;
  /** Asks it to stop, then insists; resolves when the process is gone. */
  close(): Promise<void>;
}

export interface EngineProcessOptions {
  /** What messages call it. */
  readonly name: string;
  readonly binary: string;
  readonly argumentsFor: (port: number) => readonly string[];
  /** @default a free one */
  readonly port?: number | undefined;
  /** Directory it runs in. @default the caller's */
  readonly directory?: string | undefined;
  /** Where its process id is kept, so that the next start can end an engine that outlived its parent. @default nowhere */
  readonly pidFile?: string | undefined;
}

/**
 * The engine must never outlive us, not even a `kill -9`: it runs under a shell that waits on a pipe we hold open.
 * The kernel closes the pipe however we die; the shell then ends the engine.
 */
const supervisor = `
exec 3<&0
pid_file=$1; shift
"$@" </dev/null 3<&- &
engine=$!
[ -z "$pid_file" ] || echo "$engine" > "$pid_file"
( read -r _ <&3; kill -TERM "$engine"; sleep 2; kill -KILL "$engine" ) >/dev/null 2>&1 &
watcher=$!
wait "$engine"
kill "$watcher"
`;

const startTimeoutMs = 15_000;
const attempts = 3;

/** Starts the engine on a loopback port and waits until it answers; throws with its last words when it does not. */
export async function startEngineProcess(options: EngineProcessOptions): Promise<EngineProcess> {
  if (options.pidFile !== undefined) await endStaleEngine(options.pidFile, options.binary);
  for (let attempt = 1; ; attempt += 1) {
    const port = options.port ?? (await freePort());
    try {
      return await startOn(port, options);
    } catch (error) {
      // Between finding a free port and using it, another process can take it.
      if (options.port !== undefined || attempt === attempts) throw error;
    }
  }
}

async function startOn(port: number, options: EngineProcessOptions): Promise<EngineProcess> {
  const { name, binary, pidFile } = options;
  // Detached: Ctrl-C in the terminal must reach only us, who still have requests in flight that need the engine.
  const child = spawn(
    "/bin/sh",
    ["-c", supervisor, name, pidFile ?? "", binary, ...options.argumentsFor(port)],
    {
      cwd: options.directory,
      detached: true,
      env: { PATH: process.env.PATH ?? "", HOME: options.directory ?? "/tmp" },
      stdio: ["pipe", "ignore", "pipe"],
    },
  );
  child.stdin.on("error", () => {});
  let lastWords = "";
  child.stderr.on("data", (chunk: Buffer) => {
    lastWords = (lastWords + chunk.toString()).slice(-2_000);
  });
  const gone = new Promise<void>((resolve) => {
    child.once("exit", resolve);
    child.once("error", resolve);
  });

  const close = async () => {
    child.stdin.end();
    await gone;
    if (pidFile !== undefined) await rm(pidFile, { force: true });
  };

  const deadline = Date.now() + startTimeoutMs;
  while (!(await answers(port))) {
    const exited = hasExited(child);
    if (exited || Date.now() > deadline) {
      await close();
      const reason = exited ? "stopped at once" : `did not answer within ${startTimeoutMs / 1000} s`;
      throw new Error(`${name} ${reason} on port ${port}.\n${lastWords}`.trim());
    }
    await sleep(5);
  }
  // Something answered; make sure that it was our child and not a neighbour who has the port.
  await sleep(1);
  if (hasExited(child)) throw new Error(`${name}: port ${port} is taken by another program.`);
  return { endpoint: `http://127.0.0.1:${port}`, gone, close };
}

function hasExited(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null || child.pid === undefined;
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = request({
      host: "127.0.0.1",
      port,
      method: "GET",
      path: "/",
      agent: false,
      timeout: 1_000,
    });
    probe.on("response", (response) => {
      response.resume();
      resolve(true);
    });
    probe.on("timeout", () => probe.destroy());
    probe.on("error", () => resolve(false));
    probe.end();
  });
}

/** A loopback port that nobody listens on at this moment. */
function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      const port = typeof address === "object" && address !== null ? address.port : 0;
      server.close(() => resolve(port));
    });
  });
}

/** Ends an engine left behind by a killed parent. A process id that meanwhile belongs to someone else is left alone. */
async function endStaleEngine(pidFile: string, binary: string): Promise<void> {
  const pid = pidIn(pidFile);
  if (pid === undefined || !runs(pid, binary)) return;
  process.kill(pid, "SIGKILL");
  while (runs(pid, binary)) await sleep(5);
}

function pidIn(pidFile: string): number | undefined {
  try {
    const pid = Number.parseInt(readFileSync(pidFile, "utf8"), 10);
    return pid > 1 ? pid : undefined;
  } catch {
    return undefined;
  }
}

function runs(pid: number, binary: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").startsWith(`${binary}\0`);
  } catch {
    return false;
  }
}
