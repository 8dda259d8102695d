import { killSweep } from "./kill-sweep.ts";

killSweep({
  args: ["-e", "LocalEngine"],
  period: "0.1",
  arrivalMs: 25_000,
  output: /^job_output\.txt/,
  env: () => ({}),
  living: async () => 0,
  barriers: [],
  isThorough: true,
  atOnce: 4,
  tracedRunner: [
    "engines/local/dispatcher.js",
    `setsid "$@" "$runner"`,
    `setsid /bin/sh "$folder/../../../runner" "$runner"`,
  ],
  afterKill: { states: ["lost"], claimsLeast: 1 },
});
