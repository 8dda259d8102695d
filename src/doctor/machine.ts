/** The machine and the user's session, as far as a program that is to stay there for weeks depends on them. */
import { availableParallelism, tmpdir, totalmem, userInfo } from "node:os";
import type { Disk } from "../disk.ts";
import type { Symptom } from "../engine.ts";
import { durationText } from "../outcome.ts";
import type { Surroundings } from "../verbs/call.ts";

const TIMEOUT_MS = 5000;
const NODE_LEAST = [20, 9] as const;

type Run = Surroundings["runProgram"];

/** The program itself, and the Node that it runs on. */
export function programSymptoms({ version, command }: Pick<Surroundings, "version" | "command">): Symptom[] {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  const isOld = major < NODE_LEAST[0] || (major === NODE_LEAST[0] && minor < NODE_LEAST[1]);
  const node = `${process.version} on ${process.platform} ${process.arch}`;
  return [
    { level: "ok", about: "jobmgr", says: `${version} (${command.join(" ")})` },
    isOld
      ? {
          level: "error",
          about: "Node",
          says: `${node}: it must be ${NODE_LEAST.join(".")} or newer. Install one, or use the executable that has its own.`,
        }
      : process.platform === "linux"
        ? { level: "ok", about: "Node", says: node }
        : {
            level: "warning",
            about: "Node",
            says: `${node}: jobmgr is tested on Linux only. Try it with a root of its own first.`,
          },
  ];
}

const OPEN_FILES_LEAST = 256;
const PROCESSES_LEAST = 100;
const MEMORY_LEAST_MB = 256;

/** The limits of this session, which a manager started here will have too. */
export async function limitSymptoms(run: Run): Promise<Symptom[]> {
  // Each in a shell of its own: some end at a limit that they do not know. dash calls -u -p.
  const script =
    "for limit in n u t v; do (ulimit -$limit) 2>/dev/null || { [ $limit = u ] && (ulimit -p) 2>/dev/null; } || echo unknown; done";
  const { stdout } = await run("sh", ["-c", script], TIMEOUT_MS);
  const words = stdout.split("\n");
  const [files, processes, cpuS, memoryKb] = words.map((line) => (/^\d+$/.test(line) ? Number(line) : undefined));
  const says = `open files ${words[0]}, processes ${words[1]}`;
  const symptoms: Symptom[] = [];
  const warn = (about: string, sentence: string) => symptoms.push({ level: "warning", about, says: sentence });
  if (files !== undefined && files < OPEN_FILES_LEAST)
    warn("limits", `${files} open files are few. Raise it: ulimit -n 1024`);
  else if (processes !== undefined && processes < PROCESSES_LEAST)
    warn("limits", `${processes} processes are few: jobs of LocalEngine may not start. Raise it: ulimit -u 1000`);
  else symptoms.push({ level: "ok", about: "limits", says });
  if (cpuS !== undefined)
    warn(
      "processor time",
      `each process here is ended after ${durationText(cpuS)} of processor time (ulimit -t), jobs of LocalEngine too. A manager at rest takes 15 ms in 5 minutes, a busy one more; cron starts one anew each time: jobmgr service cron`,
    );
  symptoms.push(memorySymptom(memoryKb));
  return symptoms;
}

function memorySymptom(limitKb: number | undefined): Symptom {
  // 0, or more than there is, where nothing is limited.
  const group = process.constrainedMemory?.() ?? 0;
  const least = Math.min(
    totalmem(),
    group > 0 ? group : Number.POSITIVE_INFINITY,
    (limitKb ?? Number.POSITIVE_INFINITY) * 1024,
  );
  const mb = Math.round(least / 1024 / 1024);
  const cores = availableParallelism();
  const says = `${cores} ${cores === 1 ? "core" : "cores"}, ${mb >= 2048 ? `${Math.round(mb / 1024)} GB` : `${mb} MB`} of memory`;
  if (mb >= MEMORY_LEAST_MB) return { level: "ok", about: "machine", says };
  return {
    level: "warning",
    about: "machine",
    says: `${says}; a manager takes 60 MB and more. Ask for more, or use another machine.`,
  };
}

/** Whether there is a folder for temporary files, which the dry run of `check` needs. */
export function temporarySymptom(disk: Disk): Symptom {
  const folder = tmpdir();
  try {
    if (disk.look(disk.realPath(folder))?.kind === "folder") return { level: "ok", about: "TMPDIR", says: folder };
  } catch {
    // Told below.
  }
  return {
    level: "warning",
    about: "TMPDIR",
    says: `${folder} is not there, so that \`jobmgr check\` cannot make its dry run. Make it, or unset TMPDIR.`,
  };
}

/** Does what this user starts outlive his logout? */
export async function sessionSymptom(run: Run): Promise<Symptom> {
  const about = "logging out";
  const keeps = "To keep a manager going: jobmgr service systemd, cron, scrontab or tmux";
  const { stdout, exitCode } = await run(
    "loginctl",
    ["show-user", userInfo().username, "--property=Linger"],
    TIMEOUT_MS,
  );
  const linger = /^Linger=(yes|no)$/m.exec(stdout)?.[1];
  if (exitCode !== 0 || linger === undefined)
    return { level: "ok", about, says: `systemd looks after no session here. ${keeps}` };
  const args = ["get-property", "org.freedesktop.login1", "/org/freedesktop/login1", "org.freedesktop.login1.Manager"];
  const kills = await run("busctl", [...args, "KillUserProcesses"], TIMEOUT_MS);
  if (linger === "yes") return { level: "ok", about, says: `what you start here goes on (lingering is on). ${keeps}` };
  const remedy = "Allow it: loginctl enable-linger; or use cron: jobmgr service cron";
  if (/^b true$/m.test(kills.stdout))
    return {
      level: "warning",
      about,
      says: `all that you started here is killed then (KillUserProcesses), tmux too. ${remedy}`,
    };
  return {
    level: "warning",
    about,
    says: `a systemd user unit ends then; nohup and tmux go on. ${remedy}`,
  };
}
