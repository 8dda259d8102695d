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
    globalSetup: [],
  },
});
