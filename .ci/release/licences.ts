/** The licences of the packages in the one file, which ask to go with every copy. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** The licence of each package that these files (paths below `home`) belong to. */
export function licencesOf(home: string, files: readonly string[]): string {
  const folders = new Set(files.map((file) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file)?.[0]));
  const texts = [...folders]
    .filter((folder) => folder !== undefined)
    .sort()
    .map((folder) => licenceOf(join(home, folder)));
  return ["This program contains these packages:", ...texts].join("\n\n");
}

/** A text as a comment of JavaScript, which ends where it ends. In ASCII: V8 reads a text of one byte a letter faster. */
export function commentOf(text: string): string {
  const escaped = text
    .replaceAll("*/", "* /")
    .replace(/[\u0080-\uffff]/g, (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, "0")}`);
  return `/*\n${escaped}\n*/\n`;
}

function licenceOf(folder: string): string {
  const { name, version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as {
    name: string;
    version: string;
    license: string;
  };
  const file = readdirSync(folder).find((one) => /^licen[cs]e/i.test(one));
  const text = file && existsSync(join(folder, file)) ? readFileSync(join(folder, file), "utf8").trim() : license;
  return `${name} ${version} (${license})\n\n${text}`;
}
