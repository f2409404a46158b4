import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    // Has a run and a report of its own: npm run test:faults.
    exclude: ["test/faults/**"],
    // What a hung test may cost. A machine that is slow, or stands still for seconds, fails nothing.
    testTimeout: 120_000,
    hookTimeout: 60_000,
    env: {
      AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: "true",
      LOG_LEVEL: "SILENT",
      POWERTOOLS_METRICS_DISABLED: "true",
    },
  },
});
