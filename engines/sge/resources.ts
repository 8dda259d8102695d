/** What Grid Engine has to run jobs on, as qhost and qconf tell it. Pure. */
import type { NodeResources, PartitionResources, Resources } from "../../src/engine.ts";
import type { Question } from "../batch/dialect.ts";
import { memoryInB, timeInS } from "./units.ts";
import { type Element, elementsOf, parseXml } from "./xml.ts";

/** One question for all machines with their queues. */
export const HOSTS: Question = {
  program: "qhost",
  args: ["-xml", "-q", "-F", "num_proc,mem_total,mem_free,gpu,ngpus,gpus"],
};

/** Asks for the limits of queues. */
export function limitsQuestion(queues: readonly string[]): Question {
  return { program: "qconf", args: ["-sq", queues.join(",")] };
}

/** The queues in the answer of qhost. */
export function queuesIn(xml: string): string[] {
  const root = parseXml(xml);
  const names = root === undefined ? [] : elementsOf(root, "queue").map(({ attributes }) => attributes.name ?? "");
  return [...new Set(names)].filter(Boolean).sort();
}

/** What both say together; undefined for an answer of qhost that is not whole. */
export function resourcesIn(xml: string, limits: string): Resources | undefined {
  const root = parseXml(xml);
  if (root?.name !== "qhost") return undefined;
  const hosts = elementsOf(root, "host").filter(({ attributes }) => attributes.name !== "global");
  const nodes = hosts.map(nodeOf);
  const longest = limitsIn(limits);
  const partitions = queuesIn(xml).map((name): PartitionResources => {
    const states = hosts.flatMap((host) => queuesOf(host).filter((queue) => queue.name === name));
    const timeLimitS = longest.get(name);
    return {
      name,
      // A job goes to any queue that can run it.
      isDefault: false,
      isUp: states.some(({ state }) => startsJobs(state)),
      ...(timeLimitS !== undefined && { timeLimitS }),
    };
  });
  return { nodes, partitions };
}

function nodeOf(host: Element): NodeResources {
  const value = (name: string) =>
    host.children.find((one) => one.name === "hostvalue" && one.attributes.name === name)?.text ?? "";
  const resource = (...names: readonly string[]) =>
    host.children.find((one) => one.name === "resourcevalue" && names.includes(one.attributes.name ?? ""))?.text;
  const queues = queuesOf(host);
  const isKnown = value("load_avg") !== "-";
  const up = queues.filter(({ state }) => startsJobs(state));
  const used = Math.max(0, ...queues.map((queue) => queue.used));
  const slots = Math.max(0, ...queues.map((queue) => queue.slots));
  const cpus = Number(value("num_proc")) || slots;
  const memoryB = memoryInB(resource("mem_total") ?? value("mem_total"));
  const memoryFreeB = memoryInB(resource("mem_free") ?? "");
  const gpus = Number(resource("gpu", "ngpus", "gpus") ?? Number.NaN);
  const states = [...new Set(queues.map(({ state }) => state).filter(Boolean))];
  return {
    name: host.attributes.name ?? "",
    state: !isKnown ? "unknown" : states.length > 0 ? states.join(",") : used > 0 ? "in use" : "idle",
    isUp: isKnown && up.length > 0,
    cpus,
    ...(slots > 0 && { cpusFree: Math.max(0, Math.min(cpus, slots - used)) }),
    ...(memoryB !== undefined && { memoryB: Math.round(memoryB) }),
    ...(memoryFreeB !== undefined && { memoryFreeB: Math.round(memoryFreeB) }),
    ...(!Number.isNaN(gpus) && { gpus }),
    partitions: queues.map(({ name }) => name),
  };
}

interface QueueOnHost {
  readonly name: string;
  readonly used: number;
  readonly slots: number;
  readonly state: string;
}

function queuesOf(host: Element): QueueOnHost[] {
  return elementsOf(host, "queue").map((queue) => {
    const value = (name: string) => queue.children.find((one) => one.attributes.name === name)?.text ?? "";
    return {
      name: queue.attributes.name ?? "",
      used: Number(value("slots_used")) || 0,
      slots: Number(value("slots")) || 0,
      state: value("state_string"),
    };
  });
}

/** Letters of qstat(1), "states": unknown, alarm, disabled, suspended, error, calendar, obsolete. A load alarm passes. */
function startsJobs(state: string): boolean {
  return !/[udDsSECo]/.test(state);
}

/** h_rt of each queue; values of single hosts are left out. */
function limitsIn(text: string): Map<string, number> {
  const limits = new Map<string, number>();
  let name = "";
  for (const line of text.replaceAll("\\\n", " ").split("\n")) {
    const [key = "", value = ""] = line.trim().split(/\s+/);
    if (key === "qname") name = value;
    const seconds = key === "h_rt" ? timeInS(value.split(",")[0] ?? "") : undefined;
    if (seconds !== undefined) limits.set(name, seconds);
  }
  return limits;
}
