import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { Worker } from "node:worker_threads";
import { bundleDirectory } from "./build.ts";
import { functionFolders } from "./function-folders.ts";

const load = `
  const { parentPort, workerData } = require("node:worker_threads");
  import(workerData).then(
    (bundle) => parentPort.postMessage(typeof bundle.handler === "function" ? null : "exports no function \`handler\`"),
    (error) => parentPort.postMessage(String(error)),
  );
`;

/** Why a bundle does not load as Lambda would load it, or null. Only the region is in its environment. */
export const loadProblem = (file: string): Promise<string | null> =>
  new Promise((resolve) => {
    const worker = new Worker(load, {
      eval: true,
      workerData: pathToFileURL(file).href,
      env: { AWS_REGION: "us-east-1" },
      // Kept out of ours: each SDK warns of this machine's Node, which is not Lambda's.
      stderr: true,
      // Not this process's: a loader such as tsx would find what Lambda does not have.
      execArgv: [],
    });
    const finish = (problem: string | null) => {
      resolve(problem);
      void worker.terminate();
    };
    worker.once("message", finish);
    worker.once("error", (error) => finish(String(error)));
    worker.once("exit", (code) => finish(`ended with code ${code} before it was loaded`));
  });

/** Loads every built function, each in a worker of its own; a sentence for each that does not. */
export const loadProblems = async (directory = bundleDirectory): Promise<readonly string[]> => {
  const problems: string[] = [];
  for (const folder of functionFolders) {
    const problem = await loadProblem(join(directory, folder, "handler.mjs"));
    if (problem !== null) problems.push(`${folder}: ${problem}`);
  }
  return problems;
};

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const problems = await loadProblems();
  for (const problem of problems) console.error(problem);
  if (problems.length > 0) process.exitCode = 1;
  else console.log(`All ${functionFolders.length} functions load.`);
}
