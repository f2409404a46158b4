import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { LockedError, lockFile } from "./file-lock.ts";

const root = fileURLToPath(new URL("..", import.meta.url));

/** Whatever the template and the bundles are made of. */
const sources = [
  "functions",
  "infra",
  "shared",
  "openapi.json",
  "package-lock.json",
  "cdk.json",
  "tsconfig.json",
  "local/synthesize.ts",
];

export interface BuiltStack {
  /** Holds the template and the assets that it names. */
  readonly directory: string;
  readonly rebuilt: boolean;
}

/**
 * Builds functions and template of the stage `local`, but only when a source has changed since the last time.
 * Never uses the network. Processes that start together build once.
 */
export async function buildStack(onBuild: () => void = () => {}): Promise<BuiltStack> {
  const directory = join(root, ".local", "stack");
  const stamp = join(directory, "sources.sha256");
  const lock = await waitForLock(join(root, ".local", "stack.lock"));
  try {
    const wanted = hashOf(sources);
    if (readOrNothing(stamp) === wanted) return { directory, rebuilt: false };
    onBuild();
    await rebuild(directory);
    writeFileSync(stamp, wanted);
    return { directory, rebuilt: true };
  } finally {
    lock.release();
  }
}

async function rebuild(directory: string): Promise<void> {
  const draft = `${directory}.new`;
  rmSync(draft, { recursive: true, force: true });
  const tsx = createRequire(import.meta.url).resolve("tsx/cli");
  const environment = {
    ...process.env,
    // What the CDK's command line sets: it makes the template say which folder a function's code is in.
    CDK_CONTEXT_JSON: JSON.stringify({ "aws:cdk:enable-asset-metadata": true }),
  };
  try {
    await promisify(execFile)(process.execPath, [tsx, join(root, "local/synthesize.ts"), draft], {
      cwd: root,
      env: environment,
    });
  } catch (error) {
    const { stderr = "", message } = error as { stderr?: string; message: string };
    throw new Error(`The build of the stack failed.\n${stderr.trim() || message}`);
  }
  rmSync(directory, { recursive: true, force: true });
  renameSync(draft, directory);
}

async function waitForLock(file: string) {
  for (;;) {
    try {
      return lockFile(file);
    } catch (error) {
      if (!(error instanceof LockedError)) throw error;
      await sleep(100);
    }
  }
}

/** One hash over names and contents, in the order of the names. */
function hashOf(paths: readonly string[]): string {
  const hash = createHash("sha256");
  for (const path of paths.flatMap(filesIn)) hash.update(`${path}\0`).update(readFileSync(join(root, path)));
  return hash.digest("hex");
}

function filesIn(path: string): string[] {
  try {
    const entries = readdirSync(join(root, path), { withFileTypes: true });
    return entries
      .sort((a, b) => (a.name < b.name ? -1 : 1))
      .flatMap((entry) => (entry.isDirectory() ? filesIn(join(path, entry.name)) : [join(path, entry.name)]));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOTDIR") return [path];
    if (code === "ENOENT") return [];
    throw error;
  }
}

function readOrNothing(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}
