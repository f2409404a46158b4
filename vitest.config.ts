import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    // Have runs and reports of their own: npm run test:faults, npm run test:inputs.
    exclude: ["test/faults/**", "test/inputs/**"],
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
