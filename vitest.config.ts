import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    dir: "test",
    include: ["**/*.test.ts"],
    reporters: ["default", "./test/summary.ts"],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // More than cores, for most of a test's time is waiting: for clusters, for jobs, for a folder to come to rest.
    maxWorkers: 4,
    // On a machine that others use too, real daemons are late now and then. A fault fails twice; by hand, nothing is repeated.
    retry: process.env.CI ? 1 : 0,
    globalSetup: [],
  },
});
