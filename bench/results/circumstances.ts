import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { cpus, loadavg, release, totalmem, type } from "node:os";
import { fileURLToPath } from "node:url";
import { packagedBinary } from "../../local/dynamodb/engine.ts";
import type { Circumstances } from "./results.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** Where and with what this process measures, now. */
export const circumstances = (): Circumstances => ({
  startedAt: new Date().toISOString(),
  commit: commit(),
  node: process.versions.node,
  sdk: packageVersion("@aws-sdk/client-dynamodb"),
  engine: engine(),
  machine: {
    cpu: cpus()[0]?.model.trim() ?? "unknown",
    cores: cpus().length,
    memoryGb: Math.round(totalmem() / 2 ** 30),
    os: `${type()} ${release()}`,
    loadAverage: Math.round((loadavg()[0] ?? 0) * 100) / 100,
  },
});

/** The first line of what a program prints; undefined when it cannot be run. */
const lineOf = (program: string, ...given: string[]): string | undefined => {
  try {
    const text = execFileSync(program, given, { cwd: root, stdio: ["ignore", "pipe", "ignore"] }).toString();
    return text.trim().split("\n")[0];
  } catch {
    return undefined;
  }
};

/** "cddf845", "cddf845 and changes" with uncommitted work, null outside a checkout. */
const commit = (): string | null => {
  const head = lineOf("git", "rev-parse", "--short", "HEAD");
  if (head === undefined) return null;
  // What a bench writes itself does not make its code another.
  const changes = lineOf(
    "git",
    "status",
    "--porcelain",
    "--",
    ".",
    ":!bench/results.json",
    ":!bench/pictures",
  );
  return changes ? `${head} and changes` : head;
};

const engine = (): string => {
  if (process.env.DYNAMODB_ENDPOINT) return `that of DYNAMODB_ENDPOINT, ${process.env.DYNAMODB_ENDPOINT}`;
  return lineOf(packagedBinary("@dynoxide/linux-x64", "dynoxide") ?? "dynoxide", "--version") ?? "unknown";
};

const packageVersion = (name: string): string => {
  const manifest = createRequire(import.meta.url).resolve(`${name}/package.json`);
  return (JSON.parse(readFileSync(manifest, "utf8")) as { version: string }).version;
};
