import { existsSync, mkdirSync } from "node:fs";
import { createRequire } from "node:module";
import { delimiter, dirname, join, resolve } from "node:path";
import { startEngineProcess } from "./engine-process.ts";
import { seedDatabase } from "./seed.ts";

/** A DynamoDB endpoint for as long as it is needed. */
export interface DynamoDbEngine {
  readonly endpoint: string;
  readonly region: string;
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string };
  /** Resolves when it has ended, for whatever reason. Never for one that we did not start. */
  readonly gone: Promise<void>;
  close(): Promise<void>;
}

export interface DynoxideOptions {
  /** Where the data is kept. @default in memory */
  readonly directory?: string | undefined;
  /** @default a free one */
  readonly port?: number | undefined;
}

/**
 * Starts dynoxide (DynamoDB's protocol on SQLite), or uses the engine that `DYNAMODB_ENDPOINT` names.
 * Acknowledged writes in a directory survive a `kill -9`. Signatures are not checked.
 */
export async function startDynoxide({ directory, port }: DynoxideOptions = {}): Promise<DynamoDbEngine> {
  const region = "us-east-1";
  const given = process.env.DYNAMODB_ENDPOINT;
  if (given) {
    const credentials = {
      accessKeyId: process.env.AWS_ACCESS_KEY_ID ?? "local",
      secretAccessKey: process.env.AWS_SECRET_ACCESS_KEY ?? "local",
    };
    return {
      endpoint: given,
      region: process.env.AWS_REGION ?? region,
      credentials,
      gone: new Promise(() => {}),
      close: async () => {},
    };
  }

  const home = directory === undefined ? undefined : resolve(directory);
  if (home !== undefined) mkdirSync(home, { recursive: true });
  const file = home === undefined ? undefined : join(home, "dynamodb.sqlite");
  if (file !== undefined) seedDatabase(file);
  const storage = file === undefined ? [] : ["--db-path", file];
  const engine = await startEngineProcess({
    name: "dynoxide",
    binary: dynoxideBinary(),
    argumentsFor: (freePort) => ["serve", "--host", "127.0.0.1", "-p", String(freePort), ...storage],
    port,
    directory: home,
    pidFile: home === undefined ? undefined : join(home, "engine.pid"),
  });
  return {
    endpoint: engine.endpoint,
    region,
    credentials: { accessKeyId: "local", secretAccessKey: "local" },
    gone: engine.gone,
    close: () => engine.close(),
  };
}

function dynoxideBinary(): string {
  const binary = packagedBinary("@dynoxide/linux-x64", "dynoxide") ?? binaryOnPath("dynoxide");
  if (binary !== undefined) return binary;
  throw new Error(
    `No local DynamoDB engine for ${process.platform}-${process.arch}. Do one of these:
  - on Linux x64, run "npm ci" without --omit=optional (it installs @dynoxide/linux-x64);
  - elsewhere, put the "dynoxide" program (https://github.com/nubo-db/dynoxide) on the PATH;
  - or run any DynamoDB-compatible engine with streams and set DYNAMODB_ENDPOINT to its URL.`,
  );
}

/** The program inside an installed npm package, if it is installed. */
export function packagedBinary(packageName: string, program: string): string | undefined {
  try {
    const manifest = createRequire(import.meta.url).resolve(`${packageName}/package.json`);
    const binary = join(dirname(manifest), program);
    return existsSync(binary) ? binary : undefined;
  } catch {
    return undefined;
  }
}

function binaryOnPath(program: string): string | undefined {
  const folders = (process.env.PATH ?? "").split(delimiter).filter((folder) => folder !== "");
  return folders.map((folder) => join(folder, program)).find((file) => existsSync(file));
}
