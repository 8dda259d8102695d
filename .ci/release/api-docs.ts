/** docs/api.md, made of the declarations in dist/types/: `npm run docs`. */
import { readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";

const HOME = resolve(import.meta.dirname, "../..");
const TYPES = join(HOME, "dist/types");

/** What one imports, by the files that declare it. */
const FUNCTIONS = ["bin/library.d.ts", "src/library/as-completed.d.ts"];
const TYPES_OF = ["src/library/api.d.ts", "src/library/as-completed.d.ts", "src/look/report.d.ts", "src/outcome.d.ts"];
const ERRORS = ["src/errors.d.ts", "src/engine-error.d.ts", "src/launch/program.d.ts", "src/library/errors.d.ts"];

/** Of src/outcome.d.ts, what the types of the library speak of. */
const OTHERS = new Set(["Outcome", "RunnerRecords", "Witnesses", "outcomeOf", "durationText"]);

const HEAD = `# What programs import

Made of the declarations by \`npm run docs\`; a test compares it with them. [library.md](library.md) is to be read first.
`;

interface Declaration {
  readonly kind: string;
  readonly name: string;
  readonly comment: string;
  readonly text: string;
}

/** The whole text. */
export function apiDocs(): string {
  const functions = declarationsIn(FUNCTIONS).filter(({ kind }) => kind === "function");
  const types = declarationsIn(TYPES_OF).filter(({ kind, name }) => kind !== "function" && !OTHERS.has(name));
  const errors = declarationsIn(ERRORS).filter(({ kind }) => kind === "class");
  return [
    HEAD,
    "## Functions\n",
    ...functions.map(section),
    "## Types\n",
    ...types.map(section),
    "## Errors\n",
    ...errors.map(({ name, comment }) => `- \`${name}\`: ${comment.replace(/\n+/g, " ")}`),
    "",
  ].join("\n");
}

function section({ name, comment, text }: Declaration): string {
  return `### ${name}\n\n${comment}\n\n\`\`\`text\n${text}\n\`\`\`\n`;
}

/** Whatever begins in the first column of a line: a comment, and what it is about. */
function declarationsIn(files: readonly string[]): Declaration[] {
  return files.flatMap((file) => {
    const text = readFileSync(join(TYPES, file), "utf8").replaceAll("\r", "");
    const found = text.matchAll(
      /^\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\nexport (?:declare )?(\w+) (\w+)[\s\S]*?(?=^(?:\/\*\*|export |declare |$(?![\s\S])))/gm,
    );
    return [...found].map(([whole, comment = "", kind = "", name = ""]) => ({
      kind,
      name,
      comment: plain(comment),
      text: whole
        .slice(whole.indexOf("*/\n") + "*/\n".length)
        .replace(/^export (declare )?/, "")
        .replace(/^( {4})+/gm, (blanks) => " ".repeat(blanks.length / 2))
        .trim(),
    }));
  });
}

/** Without the stars. */
function plain(comment: string): string {
  return comment
    .split("\n")
    .map((line) => line.replace(/^ \* ?/, ""))
    .join("\n")
    .trim();
}

if (process.argv[1] === import.meta.filename) writeFileSync(join(HOME, "docs/api.md"), apiDocs());
