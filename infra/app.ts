import { bundleDirectory } from "./build.ts";
import { CodewellApp } from "./codewell-app.ts";

// What `cdk synth` and `cdk deploy` run. The bundles are built before: cdk.json, "build".
try {
  new CodewellApp({ bundles: bundleDirectory }).synth();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
