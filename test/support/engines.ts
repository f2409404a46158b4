import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type DynamoDbEngine, packagedBinary, startDynoxide } from "../../local/dynamodb/engine.ts";
import { startEngineProcess } from "../../local/dynamodb/engine-process.ts";

/** A DynamoDB engine that a test can start, empty and in memory. */
export interface TestEngine {
  readonly name: string;
  start(): Promise<DynamoDbEngine>;
}

/**
 * Two independent engines, so that no single one's quirk becomes ours:
 * `describe.each(engines)("... on $name", ({ start }) => { beforeAll(async () => { engine = await start(); }) ... })`.
 * Start one process per test file and give each test its own table.
 */
export const engines: readonly TestEngine[] = [
  { name: "dynoxide", start: () => startDynoxide() },
  { name: "extenddb", start: startExtendDb },
];

/** ExtendDB checks signatures and lets index reads lag. Its key pair is AWS's documented placeholder, not a secret. */
async function startExtendDb(): Promise<DynamoDbEngine> {
  const binary = packagedBinary("@extenddb/linux-x64", "extenddb");
  if (binary === undefined)
    throw new Error('ExtendDB is missing: run "npm ci" without --omit=optional on Linux x64.');
  const directory = await mkdtemp(join(tmpdir(), "extenddb-"));
  await writeFile(
    join(directory, "extenddb.toml"),
    '[storage]\nbackend = "sqlite"\n[storage.sqlite]\npath = ":memory:"\n',
  );
  const engine = await startEngineProcess({
    name: "extenddb",
    binary,
    argumentsFor: (port) => ["serve", "--foreground", "-p", String(port)],
    directory,
  });
  return {
    endpoint: engine.endpoint,
    region: "us-east-1",
    credentials: {
      accessKeyId: "AKIAIOSFODNN7EXAMPLE",
      secretAccessKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    },
    gone: engine.gone,
    close: async () => {
      await engine.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
