/** `jobmgr resources`: what the engine has to run jobs on. */
import type { NodeResources, PartitionResources, Resources } from "../engine.ts";
import { EngineError } from "../engine-error.ts";
import { EXIT } from "../exit-codes.ts";
import { table } from "../paint.ts";
import { printable } from "../printable.ts";
import type { Call } from "./call.ts";
import { withManagersEngine } from "./managers-engine.ts";

/** Shows it. Throws EngineError `unavailable` where the engine does not answer, or cannot tell. */
export async function resources(call: Call<{ json?: boolean }>): Promise<number> {
  const { options, around, terminal } = withManagersEngine(call);
  const engine = await around.makeEngine();
  if (!engine.resources)
    throw new EngineError("unavailable", `${engine.name} does not tell what it runs jobs on. Ask its scheduler.`);
  const found = await engine.resources(new AbortController().signal).catch(async (error: Error) => {
    // What a scheduler's command says on a machine that does not belong to its cluster tells a person nothing.
    throw new EngineError("unavailable", (await around.engineAbsence()) ?? withDoctor(error.message), { cause: error });
  });
  if (options.json) {
    terminal.out(`${JSON.stringify({ schema: 1, engine: engine.name, ...found }, undefined, 1)}\n`);
    return EXIT.ok;
  }
  const width = terminal.width();
  const tables = [partitionRows(found), nodeRows(found.nodes)].filter((rows) => rows.length > 1);
  terminal.out(tables.map((rows) => table(rows, width).join("\n")).join("\n\n"));
  terminal.out(tables.length === 0 ? `${engine.name} has no nodes.\n` : "\n");
  return EXIT.ok;
}

function withDoctor(message: string): string {
  return `${message} jobmgr doctor looks closer.`;
}

const UNKNOWN = "-";

function partitionRows({ nodes, partitions }: Resources): string[][] {
  const defaultFirst = [...partitions].sort((a, b) => Number(b.isDefault) - Number(a.isDefault));
  const rows = defaultFirst.map((partition) => {
    const own = nodes.filter((node) => node.partitions.includes(partition.name));
    const up = own.filter(({ isUp }) => isUp);
    return [
      printable(partition.name) + (partition.isDefault ? "*" : ""),
      partition.isUp ? "up" : "down",
      `${up.length}/${own.length}`,
      `${sumOf(up, "cpusFree") ?? UNKNOWN}/${sumOf(own, "cpus")}`,
      gpusText(own),
      limitText(partition),
      partition.nodesMax === undefined ? "none" : String(partition.nodesMax),
    ];
  });
  return [["PARTITION", "STATE", "NODES UP", "CPUS FREE", "GPUS FREE", "TIME LIMIT", "NODES/JOB"], ...rows];
}

/** Nodes that are alike are one row: a cluster has thousands of them, and few kinds. */
function nodeRows(nodes: readonly NodeResources[]): string[][] {
  const groups = new Map<string, NodeResources[]>();
  for (const node of nodes) {
    const { state, cpus, memoryB, gpus, partitions } = node;
    const key = JSON.stringify([state, cpus, memoryB, gpus, partitions]);
    groups.set(key, [...(groups.get(key) ?? []), node]);
  }
  const rows = [...groups.values()].map((alike) => {
    const [first] = alike;
    return [
      String(alike.length),
      printable(first?.state ?? ""),
      `${sumOf(alike, "cpusFree") ?? UNKNOWN}/${sumOf(alike, "cpus")}`,
      gpusText(alike),
      `${sizeText(leastOf(alike))}/${sizeText(first?.memoryB)}`,
      printable(alike.map(({ name }) => name).join(" ")),
    ];
  });
  return [["NODES", "STATE", "CPUS FREE", "GPUS FREE", "MEMORY FREE", "NAMES"], ...rows];
}

type Count = "cpus" | "cpusFree" | "gpus" | "gpusFree";

/** undefined where one of them is not known. */
function sumOf(nodes: readonly NodeResources[], count: Count): number | undefined {
  let sum = 0;
  for (const node of nodes) {
    const one = node[count];
    if (one === undefined) return undefined;
    sum += one;
  }
  return sum;
}

function gpusText(nodes: readonly NodeResources[]): string {
  const all = nodes.reduce((sum, { gpus = 0 }) => sum + gpus, 0);
  if (all === 0) return UNKNOWN;
  const withGpus = nodes.filter(({ gpus = 0, isUp }) => gpus > 0 && isUp);
  return `${sumOf(withGpus, "gpusFree") ?? UNKNOWN}/${all}`;
}

/** Of nodes that are alike, what the fullest has left. */
function leastOf(nodes: readonly NodeResources[]): number | undefined {
  const known = nodes.flatMap(({ memoryFreeB }) => memoryFreeB ?? []);
  return known.length < nodes.length ? undefined : Math.min(...known);
}

const GIB = 1024 ** 3;

/** In GiB, which is what schedulers call GB. */
function sizeText(bytes: number | undefined): string {
  if (bytes === undefined) return UNKNOWN;
  return bytes < 10 * GIB ? `${(bytes / GIB).toFixed(1)}G` : `${Math.floor(bytes / GIB)}G`;
}

/** As schedulers write it: D-HH:MM:SS. */
function limitText({ timeLimitS }: PartitionResources): string {
  if (timeLimitS === undefined) return "none";
  const two = (value: number) => String(Math.floor(value)).padStart(2, "0");
  const days = Math.floor(timeLimitS / 86_400);
  const clock = `${two((timeLimitS % 86_400) / 3600)}:${two((timeLimitS % 3600) / 60)}:${two(timeLimitS % 60)}`;
  return days === 0 ? clock : `${days}-${clock}`;
}
