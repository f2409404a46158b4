import { existsSync } from "node:fs";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { functionFolders } from "./function-folders.ts";

const root = fileURLToPath(new URL("..", import.meta.url));

const buildDirectory = join(root, "dist");

/** Where the bundles are: `<folder>/handler.mjs` each. */
export const bundleDirectory = join(buildDirectory, "functions");

// csv-parser and middy's parts call `require` of built-in modules, which an ES module does not have.
const requireForCommonJs =
  'import { createRequire as __createRequire } from "node:module";const require = __createRequire(import.meta.url);';

/**
 * Bundles every function of the stack in one esbuild call: the bytes that run locally are the bytes that deploy.
 * Empties the directory, then writes `functions/` and `meta.json`, esbuild's account of what went into which bundle.
 * Throws a sentence that names the missing folders.
 */
export async function buildFunctions(directory = buildDirectory): Promise<void> {
  const entryPoints = functionFolders.map((folder) => join(root, "functions", folder, "handler.ts"));
  const missing = functionFolders.filter((_, index) => !existsSync(entryPoints[index] ?? ""));
  if (missing.length > 0)
    throw new Error(
      `No handler.ts in ${missing.map((folder) => `functions/${folder}`).join(", ")}: every route (shared/contract/routes.ts) and job (infra/jobs.ts) needs one.`,
    );

  await rm(directory, { recursive: true, force: true });
  const { metafile } = await build({
    entryPoints,
    outbase: join(root, "functions"),
    outdir: join(directory, "functions"),
    outExtension: { ".js": ".mjs" },
    absWorkingDir: root,
    bundle: true,
    platform: "node",
    format: "esm",
    // Runs on this machine's Node 20 and on Lambda's 24.
    target: "node20",
    mainFields: ["module", "main"],
    banner: { js: requireForCommonJs },
    loader: { ".json": "json" },
    // Identifiers stay, so that a stack trace in a log can be read.
    minifySyntax: true,
    minifyWhitespace: true,
    keepNames: true,
    legalComments: "none",
    metafile: true,
    logLevel: "warning",
  });
  await writeFile(join(directory, "meta.json"), JSON.stringify(metafile));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    await buildFunctions();
  } catch (error) {
    // esbuild has shown its own errors already, with the lines that they are about.
    if (!(error instanceof Error && "errors" in error))
      console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  }
}
