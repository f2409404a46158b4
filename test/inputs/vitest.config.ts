import { mergeConfig } from "vitest/config";
import project from "../../vitest.config.ts";
import InputReporter from "./input-reporter.ts";

/** Bad input is a run of its own, `npm run test:inputs`, against one service for all files. */
export default mergeConfig(
  {
    ...project,
    test: { ...project.test, include: ["test/inputs/**/*.test.ts"], exclude: [] },
  },
  {
    test: {
      globalSetup: ["test/inputs/one-service.ts"],
      reporters: [new InputReporter()],
      // One after the other: all of them use the same two cores, and a fuzzer's answers are easier to follow so.
      fileParallelism: false,
      maxConcurrency: 6,
      testTimeout: 600_000,
      hookTimeout: 300_000,
    },
  },
);
