/**
 * What this machine has for the processes of this one: its control groups and its affinity may leave it less than the
 * machine has. From /proc and /sys; no program is run.
 */
import { readdirSync, readFileSync } from "node:fs";
import { availableParallelism, freemem, hostname, totalmem } from "node:os";
import { dirname, join } from "node:path";
import type { Resources } from "../../src/engine.ts";

/** Reads a file; undefined if that cannot be done. `list`: the names in a folder, none if it cannot be read. */
export interface Files {
  read(path: string): string | undefined;
  list(path: string): readonly string[];
}

const REAL: Files = {
  read(path) {
    try {
      return readFileSync(path, "utf8");
    } catch {
      return undefined;
    }
  },
  list(path) {
    try {
      return readdirSync(path);
    } catch {
      return [];
    }
  },
};

/** One node, and no partition. */
export function machineResources(files: Files = REAL): Resources {
  const { cpusMax, memoryMaxB, memoryUsedB } = groupLimits(files);
  const memoryB = Math.min(totalmem(), memoryMaxB ?? Number.POSITIVE_INFINITY);
  const freeB = availableB(files) ?? freemem();
  const leftB = memoryMaxB === undefined ? freeB : Math.max(0, memoryMaxB - (memoryUsedB ?? 0));
  const node = {
    name: hostname(),
    state: "up",
    isUp: true,
    cpus: Math.min(availableParallelism(), Math.max(1, Math.floor(cpusMax ?? Number.POSITIVE_INFINITY))),
    memoryB,
    memoryFreeB: Math.min(freeB, leftB, memoryB),
    gpus: gpuCount(files),
    partitions: [],
  };
  return { nodes: [node], partitions: [] };
}

/** MemAvailable: what could be had without swapping; see proc(5). */
function availableB({ read }: Files): number | undefined {
  const kib = /^MemAvailable:\s+(\d+) kB$/m.exec(read("/proc/meminfo") ?? "")?.[1];
  return kib === undefined ? undefined : Number(kib) * 1024;
}

/** The driver lists its cards; in a container without that list, the devices are there. */
function gpuCount({ list }: Files): number {
  const cards = list("/proc/driver/nvidia/gpus").length;
  return cards > 0 ? cards : list("/dev").filter((name) => /^nvidia\d+$/.test(name)).length;
}

/** This machine has no GPU, for all that can be known: those of other makers than NVIDIA are not counted. */
export function isWithoutGpu(files: Files = REAL): boolean {
  const devices = files.list("/dev");
  const isKnown = files.read("/proc/meminfo") !== undefined && devices.length > 0;
  return isKnown && gpuCount(files) === 0 && !["kfd", "dri", "dxg"].some((name) => devices.includes(name));
}

interface GroupLimits {
  readonly cpusMax: number | undefined;
  readonly memoryMaxB: number | undefined;
  /** Of the group whose limit that is. */
  readonly memoryUsedB: number | undefined;
}

const CGROUPS = "/sys/fs/cgroup";

/** The tightest limit of all groups that this process is in: its own, and those around it. */
function groupLimits({ read }: Files): GroupLimits {
  const lines = (read("/proc/self/cgroup") ?? "").split("\n");
  const groups = lines.flatMap((line) => {
    const [, controllers = "", path = ""] = /^\d+:([^:]*):(\/.*)$/.exec(line) ?? [];
    return path === "" ? [] : [{ controllers: controllers.split(","), path }];
  });
  let cpusMax: number | undefined;
  let memory: { maxB: number; usedB: number | undefined } | undefined;
  const cpus = (quota: number, period: number) => {
    if (quota > 0 && period > 0) cpusMax = Math.min(cpusMax ?? Number.POSITIVE_INFINITY, quota / period);
  };
  const bytes = (maxB: number, usedB: number) => {
    if (maxB > 0 && maxB < UNLIMITED_B && !(memory && memory.maxB <= maxB))
      memory = { maxB, usedB: Number.isNaN(usedB) ? undefined : usedB };
  };
  const number = (path: string) => Number.parseInt(read(path) ?? "", 10);
  for (const { controllers, path } of groups) {
    for (const group of upwards(path)) {
      if (controllers[0] === "") {
        const folder = join(CGROUPS, group);
        const [quota = "", period = ""] = (read(join(folder, "cpu.max")) ?? "").trim().split(" ");
        cpus(Number(quota), Number(period));
        bytes(number(join(folder, "memory.max")), number(join(folder, "memory.current")));
      }
      if (controllers.includes("cpu")) {
        const folder = join(CGROUPS, "cpu", group);
        cpus(number(join(folder, "cpu.cfs_quota_us")), number(join(folder, "cpu.cfs_period_us")));
      }
      if (controllers.includes("memory")) {
        const folder = join(CGROUPS, "memory", group);
        bytes(number(join(folder, "memory.limit_in_bytes")), number(join(folder, "memory.usage_in_bytes")));
      }
    }
  }
  return { cpusMax, memoryMaxB: memory?.maxB, memoryUsedB: memory?.usedB };
}

/** Version 1 of control groups writes "no limit" as a number of this size. */
const UNLIMITED_B = 2 ** 60;

/** "/a/b", "/a", "/": in a container the path may be that of the host, and only the root of it is there. */
function upwards(path: string): string[] {
  return path === "/" ? ["/"] : [path, ...upwards(dirname(path))];
}
