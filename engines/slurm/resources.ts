/** How sinfo(1) is asked what there is, and how its answer is read: one row for each node in each partition. Pure. */
import type { NodeResources, PartitionResources, Resources } from "../../src/engine.ts";

/** In the order in which sinfo is asked for them (sinfo(1), --Format). */
const FIELDS = [
  "NodeList",
  "PartitionName",
  "Partition",
  "Available",
  "Time",
  "Size",
  "StateLong",
  "CPUsState",
  "Memory",
  "AllocMem",
  "Gres",
  "GresUsed",
] as const;

const MIB = 1024 * 1024;

/** Signs that cannot stand in a name by chance or by intent: `nonce` is new for each question. */
function signs(nonce: string): { field: string; row: string } {
  return { field: `\x1f${nonce}`, row: `\x1e${nonce}` };
}

/** The header is asked for, because an answer without it is none, not even an empty one. */
export function resourcesArgs(clusters: string | undefined, nonce: string): string[] {
  const { field, row } = signs(nonce);
  const format = FIELDS.map((name, i) => `${name}:${i === FIELDS.length - 1 ? row : field}`).join(",");
  const where = clusters === undefined ? [] : [`--clusters=${clusters}`];
  return ["--Node", "--noconvert", ...where, `--Format=${format}`];
}

/** undefined for an answer that was cut short, or has not even a header. */
export function parseResources(text: string, nonce: string): Resources | undefined {
  const { field, row } = signs(nonce);
  const chunks = text.split(row);
  if ((chunks.pop() ?? "").replace(/^CLUSTER: \S+$/gm, "").trim() !== "") return undefined;
  const nodes = new Map<string, NodeResources>();
  const partitions = new Map<string, PartitionResources>();
  let hasHeader = false;
  for (const chunk of chunks) {
    const values = chunk.replace(/^(?:\n|CLUSTER: \S+\n)*/, "").split(field);
    if (values.length !== FIELDS.length) return undefined;
    const [name = "", partition = "", marked = "", available = "", time = "", size = "", ...ofNode] = values;
    if (partition === "PARTITION") {
      hasHeader = true;
      continue;
    }
    partitions.set(partition, partitionOf({ partition, marked, available, time, size }));
    // A partition may have no nodes.
    if (name === "") continue;
    const known = nodes.get(name);
    const names = [...(known?.partitions ?? []), partition];
    nodes.set(name, known ? { ...known, partitions: names } : nodeOf(name, ofNode, names));
  }
  return hasHeader ? { nodes: [...nodes.values()], partitions: [...partitions.values()] } : undefined;
}

function partitionOf(row: Readonly<Record<"partition" | "marked" | "available" | "time" | "size", string>>) {
  const timeLimitS = secondsOf(row.time);
  const nodesMax = /(\d+)$/.exec(row.size)?.[1];
  return {
    name: row.partition,
    isDefault: row.marked === `${row.partition}*`,
    isUp: row.available === "up",
    ...(timeLimitS !== undefined && { timeLimitS }),
    ...(nodesMax !== undefined && { nodesMax: Number(nodesMax) }),
  };
}

function nodeOf(name: string, values: readonly string[], partitions: readonly string[]): NodeResources {
  const [state = "", cpus = "", memory = "", allocated = "", gres = "", used = ""] = values;
  const [, idle, total] = /^\d+\/(\d+)\/\d+\/(\d+)$/.exec(cpus) ?? [];
  const memoryB = /^\d+$/.test(memory) ? Number(memory) * MIB : undefined;
  const allocatedB = /^\d+$/.test(allocated) ? Number(allocated) * MIB : undefined;
  const gpus = gpusIn(gres);
  return {
    name,
    state,
    isUp: isUp(state),
    cpus: Number(total ?? 0),
    ...(idle !== undefined && { cpusFree: Number(idle) }),
    ...(memoryB !== undefined && { memoryB }),
    ...(memoryB !== undefined && allocatedB !== undefined && { memoryFreeB: Math.max(0, memoryB - allocatedB) }),
    gpus,
    gpusFree: Math.max(0, gpus - gpusIn(used)),
    partitions,
  };
}

/** sinfo(1), NODE STATE CODES: what a state begins with, and the signs behind it, of nodes that take no job. */
const DOWN = /^(down|drain|fail|unknown|inval|error|future|maint|perfctrs|npc|reboot|power(ing|ed)?_?down)|[*$%!^]$/i;

function isUp(state: string): boolean {
  return state !== "" && !DOWN.test(state);
}

/** "gpu:a100:4(S:0-1),gpu:2,license:1": of all types together. */
export function gpusIn(gres: string): number {
  const plain = gres.replace(/\([^)]*\)/g, "");
  let sum = 0;
  for (const [, count] of plain.matchAll(/(?:^|,)gpu(?::[^:,]*)?:(\d+)(?=,|$)/g)) sum += Number(count);
  return sum;
}

/** "30:00", "1:00:00", "7-00:00:00"; undefined for "infinite", and what is no time. */
function secondsOf(time: string): number | undefined {
  const [, days = "0", hours = "0", minutes, seconds] = /^(?:(\d+)-)?(?:(\d+):)?(\d+):(\d+)$/.exec(time) ?? [];
  if (minutes === undefined) return undefined;
  return ((Number(days) * 24 + Number(hours)) * 60 + Number(minutes)) * 60 + Number(seconds);
}
