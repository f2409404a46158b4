// A process of its own: the CDK takes a second and 200 MB, which the running service has no use for.
// Called as `tsx local/synthesize.ts <directory>`.

import { rm } from "node:fs/promises";
import { join } from "node:path";
import { buildFunctions } from "../infra/build.ts";
import { CodewellApp } from "../infra/codewell-app.ts";

const [directory] = process.argv.slice(2);
if (directory === undefined) throw new Error("Say where to: tsx local/synthesize.ts <directory>");

// Not in dist/, which a deployment or a check may be using now. The synthesis copies what it needs.
const build = `${directory}.build`;
await buildFunctions(build);
new CodewellApp({ bundles: join(build, "functions"), stage: "local", directory, checks: false }).synth();
await rm(build, { recursive: true });
