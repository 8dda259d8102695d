/** The plan of a job that asks for nothing, for tests that need some plan. */
import type { Plan } from "../../src/engine.ts";

/** With these members instead. */
export function somePlan(more: Partial<Plan> = {}): Plan {
  return {
    jobName: "a",
    shell: "/bin/sh",
    directives: "",
    args: [],
    identity: { job: "-", restart: "0", task: "$JOBMGR_TASK" },
    limitS: 0,
    graceS: 1,
    tasks: [],
    tasksAtOnce: 1,
    places: 1,
    outputs: [],
    ignored: [],
    ...more,
  };
}
