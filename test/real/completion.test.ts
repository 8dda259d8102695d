/** Tab in real shells on a real terminal: what is typed is completed, and what is put in is taken for what it is. */
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, type TestContext } from "vitest";
import { quoted } from "../../src/runner.ts";
import { makeFolder, makeRoot, PROGRAM, type TestRoot, waitUntil } from "../harness.ts";
import { openScreen, type Screen } from "../tmux.ts";
import { need } from "./surroundings.ts";

/** Names that a shell would take apart, expand, or run, each by what is typed of it. */
const ODD = {
  my: "my job",
  it: "it's",
  say: 'say "hi"',
  st: "st*r?[x]",
  dol: "dol$(touch ran)`x`",
  ü: "ünï-漢",
  "co:lon=": "co:lon=x y",
  ba: "back\\slash",
  wow: "wow!x#~",
  amp: "amp&;|<>(){}",
};

interface ShellKind {
  /** Starts it without anybody's own settings, with the completion, in this folder. */
  readonly start: (folder: string) => string;
  readonly settings: string;
  readonly file: string;
}

const SHELLS: Readonly<Record<string, ShellKind>> = {
  bash: {
    file: "rc",
    settings: `PS1='$ '; bind 'set enable-bracketed-paste off'; set +o histexpand; eval "$(jobmgr completion bash)"`,
    start: (folder) => `exec bash --noprofile --rcfile ${quoted(join(folder, "rc"))} -i`,
  },
  "bash with bash-completion": {
    file: "rc",
    settings: `PS1='$ '; bind 'set enable-bracketed-paste off'; set +o histexpand; . /usr/share/bash-completion/bash_completion; eval "$(jobmgr completion bash)"`,
    start: (folder) => `exec bash --noprofile --rcfile ${quoted(join(folder, "rc"))} -i`,
  },
  zsh: {
    file: ".zshrc",
    settings: `PROMPT='$ '; unset zle_bracketed_paste; setopt no_bang_hist; autoload -Uz compinit; compinit -u -D; eval "$(jobmgr completion zsh)"`,
    start: (folder) => `ZDOTDIR=${quoted(folder)} exec zsh -d -i`,
  },
  fish: {
    file: "config.fish",
    settings:
      "function fish_prompt; echo -n '$ '; end; set -g fish_greeting; set -g fish_autosuggestion_enabled 0; jobmgr completion fish | source",
    start: (folder) =>
      `HOME=${quoted(folder)} exec fish --no-config --init-command ${quoted(`source ${join(folder, "config.fish")}`)} -i`,
  },
};

interface Shell {
  /** Types this and Tab, then Enter; the words that a program was given then. */
  words(typed: string, ...more: string[]): Promise<string[]>;
  readonly screen: Screen;
  /** Is there such a file where the shell is? */
  exists(name: string): boolean;
}

/** "jobmgr" in that shell tells its words to a file, unless it is asked for completions. */
async function openShell(context: TestContext, name: string, root: TestRoot): Promise<Shell> {
  const kind = SHELLS[name] as ShellKind;
  need(context, name.split(" ")[0] ?? "");
  const folder = makeFolder();
  const bin = join(folder, "bin");
  const here = join(folder, "here");
  const told = join(folder, "told");
  for (const path of [bin, here]) mkdirSync(path);
  mkdirSync(join(here, "a folder"));
  const real = `exec ${quoted(process.execPath)} ${quoted(PROGRAM)} "$@"`;
  writeFileSync(
    join(bin, "jobmgr"),
    `#!/bin/sh\ncase \${1-} in __complete|completion) ${real};; esac\nprintf '%s\\0' "$@" > ${quoted(told)}.new\nmv ${quoted(told)}.new ${quoted(told)}\n`,
  );
  chmodSync(join(bin, "jobmgr"), 0o755);
  writeFileSync(join(folder, kind.file), `cd ${quoted(here)}\n${kind.settings}\n`);
  const env = { PATH: `${bin}:${process.env.PATH}`, JOBMGR_ROOT: root.path, TERM: "screen", HISTFILE: "" };
  const screen = openScreen(context, kind.start(folder), { env });
  await waitUntil(`${name} is there`, () => screen.text().endsWith("$"));
  let line = 0;
  return {
    screen,
    exists: (file) => existsSync(join(here, file)),
    async words(typed, ...more) {
      const mark = `:${++line}:`;
      screen.type(`jobmgr ${typed}`);
      screen.press("Tab");
      // What is typed while the shell completes is read when it is done.
      for (const next of more) {
        screen.type(next);
        screen.press("Tab");
      }
      screen.type(` ${mark}`);
      screen.press("Enter");
      const said = () => {
        try {
          return readFileSync(told, "utf8").split("\0").slice(0, -1);
        } catch {
          return [];
        }
      };
      await waitUntil(`${typed} was run: ${screen.text().slice(-300)}`, () => said().at(-1) === mark).catch((error) => {
        throw new Error(`${error.message}\n${screen.text()}`);
      });
      return said().slice(0, -1);
    },
  };
}

describe.each(Object.keys(SHELLS))("in %s, Tab", (name) => {
  it("completes verbs, options, their values, and names of jobs, which no shell takes apart", async (context) => {
    const root = await makeRoot();
    for (const job of ["only", ...Object.values(ODD)]) mkdirSync(join(root.path, "complete", job));
    const shell = await openShell(context, name, root);
    expect(await shell.words("expl", "on")).toEqual(["explain", "only"]);
    expect(await shell.words("--engine=Lo")).toEqual(["--engine=LocalEngine"]);
    expect(await shell.words("status --fai")).toEqual(["status", "--failed"]);
    expect(await shell.words("--root a")).toEqual(["--root", expect.stringMatching(/^a folder\/?$/)]);
    const isPlain = name === "bash with bash-completion";
    for (const [typed, job] of Object.entries(ODD).slice(0, isPlain ? 1 : undefined))
      expect(await shell.words(`explain ${typed}`)).toEqual(["explain", job]);
    expect(await shell.words("explain 'my")).toEqual(["explain", "my job"]);
    expect(await shell.words('explain "my j')).toEqual(["explain", "my job"]);
    expect(await shell.words("explain my\\ j")).toEqual(["explain", "my job"]);
    expect(await shell.words("explain complete/on")).toEqual(["explain", "complete/only"]);
    expect(await shell.words("check a\\ fo")).toEqual(["check", expect.stringMatching(/^a folder\/?$/)]);
    expect(shell.exists("ran")).toBe(false);
  });

  it("says nothing where there is no root, and leaves the line as it is", async (context) => {
    const root = await makeRoot();
    const shell = await openShell(context, name, { ...root, path: "/no/such/root" });
    expect(await shell.words("explain ab")).toEqual(["explain", "ab"]);
    expect(shell.screen.text()).not.toMatch(/jobmgr: |does not exist|rror/);
  });
});
