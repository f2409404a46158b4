import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { bundleDirectory } from "./build.ts";

/**
 * Most bytes that one bundle may have. A cold start reads all of them; most are the AWS SDK (0.6 MB with DynamoDB
 * alone). What goes over shows in dist/meta.json (esbuild.github.io/analyze).
 */
export const bundleBudgetBytes = 1_500_000;

/** Sizes in bytes by function, largest first. */
export const bundleSizes = (directory = bundleDirectory): ReadonlyMap<string, number> =>
  new Map(
    readdirSync(directory)
      .map((folder) => [folder, statSync(join(directory, folder, "handler.mjs")).size] as const)
      .sort(([, one], [, other]) => other - one),
  );

/** A sentence for each bundle that is larger than the budget. */
export const overBudget = (sizes: ReadonlyMap<string, number>): readonly string[] =>
  [...sizes]
    .filter(([, bytes]) => bytes > bundleBudgetBytes)
    .map(
      ([folder, bytes]) => `${folder} has ${kilobytes(bytes)}, the budget is ${kilobytes(bundleBudgetBytes)}`,
    );

const kilobytes = (bytes: number): string => `${Math.ceil(bytes / 1000)} kB`;

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const sizes = bundleSizes();
  for (const [folder, bytes] of sizes) console.log(kilobytes(bytes).padStart(8), folder);
  const problems = overBudget(sizes);
  for (const problem of problems) console.error(problem);
  if (problems.length > 0) process.exitCode = 1;
}
