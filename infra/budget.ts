import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { bundleDirectory } from "./build.ts";
import { jobs } from "./jobs.ts";

/**
 * Most bytes that a bundle may have that somebody waits for. A cold start reads all of them; most are the AWS SDK (0.6
 * MB with DynamoDB alone). What goes over shows in dist/meta.json (esbuild.github.io/analyze).
 */
export const bundleBudgetBytes = 1_500_000;

/** The same for jobs: their messages wait for longer than their code takes to load. undici alone is 0.9 MB. */
const jobBudgetBytes = 2_500_000;

const jobFolders = new Set<string>(Object.values(jobs).map(({ folder }) => folder));
const budgetOf = (folder: string): number => (jobFolders.has(folder) ? jobBudgetBytes : bundleBudgetBytes);

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
    .filter(([folder, bytes]) => bytes > budgetOf(folder))
    .map(
      ([folder, bytes]) => `${folder} has ${kilobytes(bytes)}, the budget is ${kilobytes(budgetOf(folder))}`,
    );

const kilobytes = (bytes: number): string => `${Math.ceil(bytes / 1000)} kB`;

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const sizes = bundleSizes();
  for (const [folder, bytes] of sizes) console.log(kilobytes(bytes).padStart(8), folder);
  const problems = overBudget(sizes);
  for (const problem of problems) console.error(problem);
  if (problems.length > 0) process.exitCode = 1;
}
