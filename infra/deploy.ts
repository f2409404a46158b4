import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { deployRequest, failureHint, nextSteps } from "./deploy-guide.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const outputsFile = "cdk-outputs.json";

/** Builds (cdk.json, "build"), deploys one stage and says what to do next. Answers the exit code. */
async function deploy(given: readonly string[]): Promise<number> {
  const { stage, cdkArguments } = deployRequest(given);
  const cdk = fileURLToPath(import.meta.resolve("aws-cdk/bin/cdk"));
  const child = spawn(process.execPath, [cdk, "deploy", "--outputs-file", outputsFile, ...cdkArguments], {
    cwd: root,
    stdio: ["inherit", "inherit", "pipe"],
    // The CDK shows colours only to a terminal; what it prints passes through here first.
    env: process.stderr.isTTY ? { ...process.env, FORCE_COLOR: "1" } : process.env,
  });
  let printed = "";
  child.stderr.on("data", (chunk: Buffer) => {
    process.stderr.write(chunk);
    printed = (printed + chunk.toString("utf8")).slice(-20_000);
  });
  const [code] = (await once(child, "close")) as [number | null];
  if (code === 0) {
    console.log(
      nextSteps(JSON.parse(await readFile(new URL(`../${outputsFile}`, import.meta.url), "utf8")), stage),
    );
    return 0;
  }
  const hint = failureHint(printed);
  if (hint !== undefined) console.error(`\n${hint}`);
  return code ?? 1;
}

try {
  process.exitCode = await deploy(process.argv.slice(2));
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
