/** What there is to run jobs on: sinfo's answer, and this machine's limits. */
import { describe, expect, it } from "vitest";
import { type Files, isWithoutGpu, machineResources } from "../../engines/local/resources.ts";
import { gpusIn, parseResources, resourcesArgs } from "../../engines/slurm/resources.ts";

const NONCE = "abc";
const FIELD = `\x1f${NONCE}`;
const ROW = `\x1e${NONCE}`;
const answer = (...rows: string[]) => rows.map((row) => `${row.replaceAll("|", FIELD)}${ROW}\n`).join("");

/** As Slurm 22.05.8 wrote it. */
const HEADER =
  "NODELIST|PARTITION|PARTITION|AVAIL|TIMELIMIT|JOB_SIZE|STATE|CPUS(A/I/O/T)|MEMORY|ALLOCMEM|GRES|GRES_USED";
const GPU_NODE =
  "g1|gpu|gpu|up|30:00|1-infinite|mixed|1/3/0/4|5000|2000|gpu:a100:4(S:0-1),gpu:v100:1|gpu:a100:2(IDX:0-1),gpu:v100:0";
const PLAIN_NODE = "n1|debug|debug*|up|1-02:03:04|1-2|down*|0/0/8/8|1000|0|(null)|gpu:0";
const SAME_NODE = "n1|gpu|gpu|up|30:00|1-infinite|down*|0/0/8/8|1000|0|(null)|gpu:0";
const OFF = "|none|none|down|infinite|1-infinite|n/a|0/0/0/0|0|0||";

describe("sinfo's answer", () => {
  it("tells nodes and partitions, with units", () => {
    const found = parseResources(answer(HEADER, GPU_NODE, PLAIN_NODE, SAME_NODE, OFF), NONCE);
    const MIB = 1024 * 1024;
    expect(found?.nodes).toEqual([
      {
        ...{ name: "g1", state: "mixed", isUp: true, cpus: 4, cpusFree: 3, memoryB: 5000 * MIB },
        ...{ memoryFreeB: 3000 * MIB, gpus: 5, gpusFree: 3, partitions: ["gpu"] },
      },
      {
        ...{ name: "n1", state: "down*", isUp: false, cpus: 8, cpusFree: 0, memoryB: 1000 * MIB },
        ...{ memoryFreeB: 1000 * MIB, gpus: 0, gpusFree: 0, partitions: ["debug", "gpu"] },
      },
    ]);
    expect(found?.partitions).toEqual([
      { name: "gpu", isDefault: false, isUp: true, timeLimitS: 1800 },
      { name: "debug", isDefault: true, isUp: true, timeLimitS: 93_784, nodesMax: 2 },
      { name: "none", isDefault: false, isUp: false },
    ]);
  });

  it("of several clusters has their names between the rows", () => {
    const text = `CLUSTER: one\n${answer(HEADER, GPU_NODE)}CLUSTER: two\n${answer(HEADER, PLAIN_NODE)}`;
    expect(parseResources(text, NONCE)?.nodes.map(({ name }) => name)).toEqual(["g1", "n1"]);
  });

  it("is none if it is not whole", () => {
    const whole = answer(HEADER, GPU_NODE);
    for (const text of ["", "Welcome!\n", whole.slice(0, -20), answer(GPU_NODE), answer(HEADER, "a|b")])
      expect(parseResources(text, NONCE), JSON.stringify(text)).toBeUndefined();
  });

  it("is asked for with a sign of its own, of the clusters that jobs go to", () => {
    const args = resourcesArgs("one,two", NONCE);
    expect(args).toContain("--clusters=one,two");
    expect(args.at(-1)?.startsWith("--Format=NodeList:\x1fabc,")).toBe(true);
    expect(args.at(-1)?.endsWith("GresUsed:\x1eabc")).toBe(true);
  });

  it.each([
    ["gpu:4", 4],
    ["gpu:a100:4(S:0-1)", 4],
    ["gpu:a100:2(IDX:0,2),gpu:v100:1(IDX:0)", 3],
    ["license:9,gpu:(null):0,shard:gpu:7", 0],
    ["(null)", 0],
  ])("counts GPUs of all types: %s", (gres, count) => {
    expect(gpusIn(gres)).toBe(count);
  });

  it.each(["idle", "mixed", "allocated", "completing", "idle~", "planned", "reserved"])(
    "has %s nodes take jobs",
    (state) => {
      expect(parseResources(answer(HEADER, GPU_NODE.replace("mixed", state)), NONCE)?.nodes[0]?.isUp).toBe(true);
    },
  );
  it.each(["idle*", "down", "drained", "draining", "fail", "maint", "inval", "idle%", "unknown"])(
    "has %s nodes take no jobs",
    (state) => {
      expect(parseResources(answer(HEADER, GPU_NODE.replace("mixed", state)), NONCE)?.nodes[0]?.isUp).toBe(false);
    },
  );
});

describe("this machine", () => {
  const machine = (texts: Readonly<Record<string, string>>, lists: Readonly<Record<string, string[]>> = {}) => {
    const files: Files = { read: (path) => texts[path], list: (path) => lists[path] ?? [] };
    const [node] = machineResources(files).nodes;
    if (!node) throw new Error("this machine is no node");
    return node;
  };

  it("has what its own files say, and no partitions", () => {
    expect(machineResources()).toMatchObject({ nodes: [{ isUp: true }], partitions: [] });
    const { cpus, memoryB = 0, memoryFreeB = 0 } = machineResources().nodes[0] ?? {};
    expect(cpus).toBeGreaterThan(0);
    expect(memoryFreeB).toBeGreaterThan(0);
    expect(memoryFreeB).toBeLessThanOrEqual(memoryB);
  });

  it("has no more than the tightest of the control groups around leaves it", () => {
    const own = { "/proc/self/cgroup": "0::/user/job\n", "/proc/meminfo": "MemAvailable:    2000 kB\n" };
    const group = "/sys/fs/cgroup/user";
    const node = machine({
      ...own,
      [`${group}/job/cpu.max`]: "max 100000\n",
      [`${group}/cpu.max`]: "150000 100000\n",
      [`${group}/job/memory.max`]: "max\n",
      [`${group}/memory.max`]: "1048576\n",
      [`${group}/memory.current`]: "1000000\n",
    });
    expect(node).toMatchObject({ cpus: 1, memoryB: 1_048_576, memoryFreeB: 48_576 });
  });

  it("knows the older control groups too, which write no limit as a huge number", () => {
    const v1 = { "/proc/self/cgroup": "4:memory:/job\n2:cpu,cpuacct:/job\n", "/proc/meminfo": "MemAvailable: 4 kB\n" };
    const tight = machine({
      ...v1,
      "/sys/fs/cgroup/cpu/job/cpu.cfs_quota_us": "100000",
      "/sys/fs/cgroup/cpu/job/cpu.cfs_period_us": "100000",
      "/sys/fs/cgroup/memory/job/memory.limit_in_bytes": "8192",
    });
    expect(tight).toMatchObject({ cpus: 1, memoryB: 8192, memoryFreeB: 4096 });
    const free = machine({ ...v1, "/sys/fs/cgroup/memory/job/memory.limit_in_bytes": "9223372036854771712" });
    expect(free.memoryB).toBe(machine({}).memoryB);
  });

  it("counts GPUs by the driver's list, or by their devices", () => {
    expect(machine({}).gpus).toBe(0);
    expect(machine({}, { "/dev": ["nvidia0", "nvidia1", "nvidiactl", "null"] }).gpus).toBe(2);
    const lacksGpu = (devices: string[], files: Record<string, string> = { "/proc/meminfo": "" }) =>
      isWithoutGpu({ read: (path) => files[path], list: (path) => (path === "/dev" ? devices : []) });
    expect(lacksGpu(["null"])).toBe(true);
    for (const device of ["nvidia0", "kfd", "dri"]) expect(lacksGpu(["null", device])).toBe(false);
    expect(lacksGpu(["null"], {})).toBe(false);
    expect(machine({}, { "/proc/driver/nvidia/gpus": ["0000:01:00.0"], "/dev": ["nvidia0", "nvidia1"] }).gpus).toBe(1);
  });
});
