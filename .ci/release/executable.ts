/** The one file in a Node of its own: https://nodejs.org/docs/latest-v24.x/api/single-executable-applications.html */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  linkSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { commentOf } from "./licences.ts";
import { CACHE, type NodeVersion, nodeOf } from "./nodes.ts";

/** Supported until April 2028. Needs glibc 2.28, libstdc++ 6.0.22 and Linux 4.18: RHEL 8. */
export const NODE_INSIDE: NodeVersion = "24.21.0";

const SETTINGS = {
  disableExperimentalSEAWarning: true,
  // A tenth of a start. Where the machine's V8 does not take the cache it compiles instead, and would warn of it.
  useCodeCache: true,
  // The loader of ordinary programs, for engines of others, is experimental; this very Node has it.
  execArgv: ["--disable-warning=Warning", "--disable-warning=ExperimentalWarning"],
  // NODE_OPTIONS are meant for another Node, and one that this Node does not know would end it.
  execArgvExtension: "none",
};

/**
 * Node leaves there what was typed, which is a path of nothing if the PATH led here. And its import() knows Node's own
 * modules alone, but for a script that asks for that of an ordinary program.
 */
const HEAD = `process.argv[1]=process.execPath;
const nativeImport=(url)=>{
const vm=require("node:vm"),importModuleDynamically=vm.constants.USE_MAIN_CONTEXT_DEFAULT_LOADER;
return new vm.Script("(url)=>import(url)",{filename:process.execPath,importModuleDynamically}).runInThisContext()(url);
};
`;

const POSTJECT = fileURLToPath(import.meta.resolve("postject/dist/cli.js"));

/** By which Node finds what was put into it. */
const NOTE = "NODE_SEA_BLOB";
const FUSE = "NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2";

/** Makes the executable, or takes the one that was made of the same program. Throws NoNodeError. */
export async function makeExecutable(program: string, path: string): Promise<void> {
  const node = await nodeOf(NODE_INSIDE);
  const text = `${HEAD}${program}${commentOf(`And Node ${NODE_INSIDE}:\n\n${readFileSync(node.licence, "utf8")}`)}`;
  const recipe = [text, JSON.stringify(SETTINGS), NODE_INSIDE, NOTE, FUSE].join("\0");
  const made = join(CACHE, `executable-${createHash("sha256").update(recipe).digest("hex").slice(0, 16)}`);
  if (!existsSync(made)) make(node.program, text, made);
  for (const name of readdirSync(CACHE))
    if (name.startsWith("executable-") && join(CACHE, name) !== made) rmSync(join(CACHE, name));
  rmSync(path, { force: true });
  try {
    linkSync(made, path);
  } catch {
    // node_modules may be on another file system.
    copyFileSync(made, path);
  }
}

function make(node: string, text: string, made: string): void {
  const folder = mkdtempSync(join(CACHE, "making-"));
  try {
    const [main, settings, output, copy] = ["main.cjs", "sea.json", "sea.blob", "executable"].map((name) =>
      join(folder, name),
    ) as [string, string, string, string];
    writeFileSync(main, text);
    writeFileSync(settings, JSON.stringify({ main, output, ...SETTINGS }));
    execFileSync(node, ["--experimental-sea-config", settings], { stdio: "pipe" });
    copyFileSync(node, copy);
    chmodSync(copy, 0o755);
    // It warns of sections of Node's own; what it says is shown if it fails.
    execFileSync(process.execPath, [POSTJECT, copy, NOTE, output, "--sentinel-fuse", FUSE], { stdio: "pipe" });
    renameSync(copy, made);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
