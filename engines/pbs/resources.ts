/** What `pbsnodes -a`, `qstat -Q -f` and `qstat -B -f` tell of nodes and queues, the same for every PBS. Pure. */
import type { NodeResources, PartitionResources } from "../../src/engine.ts";
import { factsIn } from "./listing.ts";
import { bytesIn, secondsIn } from "./units.ts";

/** States in which a node starts no job: "down,offline", "state-unknown", "stale". */
const DOWN = /down|offline|unknown|stale|provisioning|maintenance|sleep|drain|fail/i;

/** A node is a name in a line of its own, and lines of its attributes. */
function nodeBlocks(text: string): { name: string; facts: ReadonlyMap<string, string> }[] {
  const blocks: { name: string; lines: string[] }[] = [];
  for (const line of text.split("\n")) {
    if (/^\S+$/.test(line)) blocks.push({ name: line, lines: [] });
    else blocks.at(-1)?.lines.push(line);
  }
  return blocks.map(({ name, lines }) => ({ name, facts: factsIn(lines) }));
}

/** "rectime=1,physmem=8kb": what a node's own daemon says, in Torque. */
function inStatus(status: string | undefined, name: string): string | undefined {
  return new RegExp(`(?:^|,)${name}=([^,]*)`).exec(status ?? "")?.[1];
}

/** "0/12.server,1/12.server" or "0-3/12.server": the processors that are taken, in Torque. */
function takenBy(jobs: string | undefined): number {
  let taken = 0;
  for (const [, first, last] of (jobs ?? "").matchAll(/(\d+)(?:-(\d+))?(?=[\d,-]*\/)/g))
    taken += Number(last ?? first) - Number(first) + 1;
  return taken;
}

/** The nodes of `pbsnodes -a`. */
export function nodesIn(text: string, queues: readonly string[]): NodeResources[] {
  return nodeBlocks(text).map(({ name, facts }) => {
    const state = facts.get("state") ?? "?";
    const number = (...names: string[]) => {
      const found = names.map((one) => facts.get(one)).find((one) => one !== undefined);
      return found === undefined ? undefined : Number(found) || 0;
    };
    const isUp = !DOWN.test(state);
    const isFull = /job-exclusive|job-busy/.test(state);
    const cpus = number("resources_available.ncpus", "np", "pcpus") ?? 0;
    const used = number("resources_assigned.ncpus") ?? (facts.has("jobs") ? takenBy(facts.get("jobs")) : 0);
    const gpus = number("resources_available.ngpus", "gpus") ?? 0;
    const gpusUsed = number("resources_assigned.ngpus");
    const status = facts.get("status");
    const memoryB = bytesIn(
      facts.get("resources_available.mem") ?? inStatus(status, "physmem") ?? inStatus(status, "availmem"),
    );
    const memoryUsedB = bytesIn(facts.get("resources_assigned.mem"));
    const isTold = inStatus(status, "slurmstate") === undefined || state === "free";
    return {
      name,
      state,
      isUp,
      cpus,
      ...(isTold && { cpusFree: !isUp || isFull ? 0 : Math.max(0, cpus - used) }),
      ...(memoryB !== undefined && { memoryB }),
      ...(memoryB !== undefined && memoryUsedB !== undefined && { memoryFreeB: Math.max(0, memoryB - memoryUsedB) }),
      ...(gpus > 0 && { gpus }),
      ...(gpus > 0 && gpusUsed !== undefined && { gpusFree: isUp ? Math.max(0, gpus - gpusUsed) : 0 }),
      partitions: ownQueues(facts) ?? queues,
    };
  });
}

/** Queues that a node is kept for; PBS opens all others to all nodes that are not. */
function ownQueues(facts: ReadonlyMap<string, string>): readonly string[] | undefined {
  const named = facts.get("queue") ?? facts.get("resources_available.Qlist");
  return named?.split(",").map((one) => one.trim());
}

/** The queues of `qstat -Q -f`; those that only hand jobs on are left out. */
export function queuesIn(text: string, defaultQueue: string | undefined): PartitionResources[] {
  return text
    .split(/^Queue:[ \t]*/m)
    .slice(1)
    .flatMap((block) => {
      const [first = "", ...lines] = block.split("\n");
      const name = first.trim();
      const facts = factsIn(lines);
      if (/^route/i.test(facts.get("queue_type") ?? "")) return [];
      const isYes = (fact: string) => /^(?:true|yes)$/i.test(facts.get(fact) ?? "");
      const timeLimitS = secondsIn(facts.get("resources_max.walltime"));
      const nodesMax = Number(facts.get("resources_max.nodect") ?? "");
      return [
        {
          name,
          isDefault: name === defaultQueue,
          isUp: isYes("enabled") && isYes("started"),
          ...(timeLimitS !== undefined && { timeLimitS }),
          ...(nodesMax > 0 && { nodesMax }),
        },
      ];
    });
}

/** The default queue of `qstat -B -f`. */
export function defaultQueueIn(text: string): string | undefined {
  return /^\s+default_queue = (\S+)$/m.exec(text)?.[1];
}
