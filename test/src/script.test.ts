/** The form of job.sh: what cannot be run is refused with a sentence that says how to mend it. */
import { execFileSync } from "node:child_process";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { commandOfScript, faultOfScript, SCRIPT_BYTES_MAX } from "../../src/script.ts";

const utf16 = (text: string) => Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from(text, "utf16le")]);

describe("what is refused", () => {
  it.each<[string, Buffer, RegExp]>([
    ["an empty script", Buffer.alloc(0), /empty.*Write/],
    ["a script of blanks", Buffer.from(" \n\t\r\n"), /empty/],
    ["Windows line ends", Buffer.from("#!/bin/sh\r\necho\r\n"), /CRLF.*sed -i/],
    ["one Windows line end among others", Buffer.from("echo a\necho b\r\n"), /CRLF/],
    ["a byte order mark", Buffer.from("\ufeff#!/bin/sh\necho\n"), /byte order mark.*sed -i/],
    ["UTF-16, little endian", utf16("echo\n"), /UTF-16/],
    ["UTF-16, big endian", utf16("echo\n").swap16(), /UTF-16/],
    ["a program", Buffer.from("\x7fELF\0\0\0\n"), /NUL byte.*script/],
    ["a script of more than 4 MiB", Buffer.alloc(SCRIPT_BYTES_MAX + 1, "#"), /larger than 4 MiB/],
  ])("%s is refused, and the sentence says how to mend it", (_, bytes, sentence) => {
    expect(faultOfScript(bytes)).toMatch(sentence);
  });

  it("the cure that is named for a byte order mark and for CRLF cures it", () => {
    for (const text of ["\ufeff#!/bin/sh\necho ä\n", "#!/bin/sh\r\necho ä\r\n"]) {
      const cure = /sed -i ('[^']+')/.exec(faultOfScript(Buffer.from(text)) ?? "")?.[1];
      const cured = execFileSync("sh", ["-c", `sed ${cure}`], { input: text });
      expect(cured.toString()).toBe("#!/bin/sh\necho ä\n");
      expect(faultOfScript(cured)).toBeUndefined();
    }
  });
});

describe("what is taken", () => {
  it.each([
    ["a script without a #! line", "echo hello\n"],
    ["a script without a last line end", "#!/bin/sh\necho hello"],
    ["a carriage return that ends no line", "printf 'a\rb'\n"],
    ["UTF-8", "echo 'Grüße \u{1f600}'\n"],
    ["Latin-1", Buffer.from("echo Gr\xfc\xdfe\n", "latin1")],
    ["a script of exactly 4 MiB", Buffer.alloc(SCRIPT_BYTES_MAX, "#")],
    ["data after the script, as self-extracting archives have", `exit 0\n${"#".repeat(5000)}\0\0`],
  ])("%s is taken", (_, text) => {
    expect(faultOfScript(Buffer.from(text))).toBeUndefined();
  });
});

describe("which program runs job.sh", () => {
  it.each([
    ["echo hello\n", ["bash", "./job.sh"]],
    ["", ["bash", "./job.sh"]],
    ["# no shebang\n#!/bin/sh\n", ["bash", "./job.sh"]],
    [" #!/bin/sh\n", ["bash", "./job.sh"]],
    ["#!/bin/sh\n", ["/bin/sh", "./job.sh"]],
    ["#!/bin/sh", ["/bin/sh", "./job.sh"]],
    ["#! \t/bin/sh \t\necho\n", ["/bin/sh", "./job.sh"]],
    ["#!/bin/bash -eu -o pipefail\n", ["/bin/bash", "-eu -o pipefail", "./job.sh"]],
    ["#!/usr/bin/env python3\nprint()\n", ["/usr/bin/env", "python3", "./job.sh"]],
    ["#!/usr/bin/env -S python3 -u\n", ["/usr/bin/env", "-S python3 -u", "./job.sh"]],
    ["#!\necho\n", ["bash", "./job.sh"]],
  ])("%j is run by %j", (text, command) => {
    expect(commandOfScript(text)).toEqual(command);
  });

  it("any #! line gives a program, one argument at most, and job.sh last", () => {
    const word = fc.stringMatching(/^[!-~]{1,12}$/);
    const blanks = fc.stringMatching(/^[ \t]{0,3}$/);
    fc.assert(
      fc.property(word, fc.array(word, { maxLength: 3 }), blanks, blanks, (program, args, before, after) => {
        const rest = args.length > 0 ? ` ${args.join(" ")}` : "";
        const command = commandOfScript(`#!${before}${program}${rest}${after}\necho\n`);
        expect(command).toEqual([program, ...(args.length > 0 ? [args.join(" ")] : []), "./job.sh"]);
      }),
    );
  });
});
