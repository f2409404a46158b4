import { spawnSync } from "node:child_process";
import { parseArgs } from "node:util";
import colors from "picocolors";

/** Everything that must hold before a change lands, in the order of what tells most for least time. */
const steps = [
  { name: "lint", command: "biome check ." },
  { name: "types", command: "tsc --noEmit" },
  { name: "openapi", command: "tsx commands/openapi.ts --check" },
  // Builds every function, then synthesizes with cdk-nag: a finding fails it.
  { name: "synth", command: "cdk synth --quiet --context stage=prod" },
  { name: "bundles load", command: "tsx infra/smoke.ts" },
  { name: "bundle sizes", command: "tsx infra/budget.ts" },
  { name: "test", command: "vitest run" },
  { name: "test:faults", command: "npm run --silent test:faults" },
  // The fuzzer with fewer cases than by default: 10,000 take some minutes.
  { name: "test:inputs", command: "FUZZ_CASES=3000 npm run --silent test:inputs" },
  // A minute of load with restarts and kills; without the verdict on memory, which takes longer.
  { name: "soak", command: "tsx soak/soak.ts --minutes 1" },
  // Fails on units, calls and exactness, which no machine can blur; never on a time.
  { name: "bench", command: "tsx bench/bench.ts --check" },
] as const;

const { values } = parseArgs({ options: { skip: { type: "string", multiple: true, default: [] } } });
const unknown = values.skip.filter((name) => !steps.some((step) => step.name === name));
if (unknown.length > 0) {
  console.error(
    `There is no step ${unknown.join(", ")}. Steps: ${steps.map(({ name }) => name).join(", ")}.`,
  );
  process.exit(2);
}

const failed: string[] = [];
for (const { name, command } of steps) {
  if (values.skip.includes(name)) continue;
  console.log(colors.bold(`\n▸ ${name}`), colors.dim(command));
  const started = performance.now();
  const { status } = spawnSync(command, { shell: true, stdio: "inherit" });
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  console.log(status === 0 ? colors.green(`✓ ${name} ${seconds} s`) : colors.red(`✗ ${name} ${seconds} s`));
  if (status !== 0) failed.push(name);
}
console.log(
  failed.length === 0 ? colors.green("\nAll is well.") : colors.red(`\nFailed: ${failed.join(", ")}.`),
);
process.exit(failed.length === 0 ? 0 : 1);
