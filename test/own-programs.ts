/** Programs of a test's own in place of real ones, and the environment in which they are found. */
import { writeFileSync } from "node:fs";

/** Puts a script of sh there. */
export function putProgram(path: string, script: string): void {
  writeFileSync(path, `#!/bin/sh\n${script}`, { mode: 0o755 });
}

/** Sets variables of this process; the returned function puts back what was there. */
export function setEnvironment(values: Readonly<Record<string, string>>): () => void {
  const before = Object.keys(values).map((name) => [name, process.env[name]] as const);
  Object.assign(process.env, values);
  return () => {
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  };
}
