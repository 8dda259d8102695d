import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    dir: "test",
    include: ["**/*.test.ts"],
    reporters: ["default", "./test/summary.ts"],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // Tests start real processes; more at a time than cores would only make them wait for each other.
    maxWorkers: 2,
    // On a machine that others use too, real daemons are late now and then. A fault fails twice; by hand, nothing is repeated.
    retry: process.env.CI ? 1 : 0,
    globalSetup: [],
  },
});
