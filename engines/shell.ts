/** The shell that runs runners, and what starts them. */
import { existsSync } from "node:fs";

/**
 * sh, which starts fastest. But where the environment holds functions that bash has exported, as those of environment
 * modules are (`module`), it must be bash: dash drops variables whose names are no identifiers.
 */
export function shellFor(environment: NodeJS.ProcessEnv): readonly [string, ...string[]] {
  const hasFunctions = Object.keys(environment).some((name) => name.startsWith("BASH_FUNC_"));
  return hasFunctions && existsSync("/bin/bash") ? ["/bin/bash", "--posix"] : ["/bin/sh"];
}
