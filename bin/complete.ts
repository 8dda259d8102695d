/**
 * `jobmgr __complete SHELL ...`: what a shell asks when somebody presses Tab. Whatever is wrong with the root or the
 * configuration, nothing is said of it: the line that is being typed must stay as it is.
 */
import { builtInNames } from "../engines/index.ts";
import { findPackages, wordOf } from "../engines/packages.ts";
import { bashInsertion, readBashLine } from "../src/command-line/bash-words.ts";
import { type Choices, choicesFor, type Here } from "../src/command-line/complete.ts";
import { layersOver } from "../src/config/layers.ts";
import { realDisk } from "../src/disk.ts";
import { openRoot, type Root } from "../src/root.ts";
import { namesIn } from "../src/selection.ts";
import { placeHere } from "./place.ts";
import { placesOf } from "./surroundings.ts";

/** The answer as lines. bash: COMP_WORDBREAKS and the line up to the cursor; else: the words behind "jobmgr". */
export function answerTo([shell = "", ...rest]: readonly string[]): string {
  if (shell !== "bash") {
    const typed = { before: rest.slice(0, -1), current: rest.at(-1) ?? "" };
    const { choices, paths } = choicesFor(typed, onDisk());
    return text(
      paths,
      choices.map(({ value, help }) => (help === "" ? value : `${value}\t${help}`)),
    );
  }
  const [breaks = "", line = ""] = rest;
  const typed = readBashLine(line, breaks);
  const { choices, paths } = choicesFor({ ...typed, before: typed.before.slice(1) }, onDisk());
  // Alone of the three, bash leaves it to us to keep what fits.
  const fitting = choices.filter(({ value }) => value.startsWith(typed.current));
  return text(
    paths,
    fitting.map(({ value }) => bashInsertion(value, typed)),
  );
}

function text(paths: Choices["paths"], lines: readonly string[]): string {
  return [paths, ...lines].map((line) => `${line}\n`).join("");
}

/** Reads the root when the first job is asked for. No engine is loaded: its package has a name. */
function onDisk(): Here {
  let root: Root | undefined;
  return {
    jobsIn(place, path) {
      try {
        root ??= openRoot(realDisk, rootPath(path));
        return namesIn(realDisk, root, place);
      } catch {
        return [];
      }
    },
    engines: (path) => [...builtInNames(), ...findPackages(placesOf(rootPath(path)).folders).map(wordOf)],
  };
}

function rootPath(given: string | undefined): string {
  // No shell has seen this word.
  const path = given?.replace(/^~(?=\/|$)/, process.env.HOME ?? "~");
  const { raw } = layersOver(path === undefined ? {} : { root: path }, placeHere());
  return String(raw.root);
}
