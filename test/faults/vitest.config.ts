import { mergeConfig } from "vitest/config";
import project from "../../vitest.config.ts";
import FaultReporter from "./fault-reporter.ts";

/** Faults are a run of their own, `npm run test:faults`, with a table at its end. */
export default mergeConfig(
  {
    ...project,
    test: {
      ...project.test,
      include: ["test/faults/**/*.test.ts"],
      exclude: [],
      // A service that is killed and started again takes its time on a busy machine.
      testTimeout: 300_000,
    },
  },
  { test: { reporters: [new FaultReporter()] } },
);
