/** Whom to tell: what is asked for must make sense, and what is wrong with a secret is said without it. */
import { symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { settingsOf } from "../../../src/config/config.ts";
import type { RawOptions } from "../../../src/config/options.ts";
import { realDisk } from "../../../src/disk.ts";
import { targetsOf } from "../../../src/notify/rules.ts";
import { makeFolder } from "../../harness.ts";

const WRITER = { user: "ada", host: "n1", rootId: "id" };

async function targets(raw: RawOptions) {
  const { notify } = settingsOf(raw);
  if (!notify) return [];
  const feed = async () => ({ exitCode: 0, errorCode: undefined, timedOut: false });
  return (await targetsOf(realDisk, notify, WRITER, feed)).map(({ title }) => title);
}

function fileOf(text: string): string {
  const path = join(makeFolder(), "file");
  writeFileSync(path, text);
  return path;
}

describe("whom to tell", () => {
  it("is nobody, unless somebody is named", async () => {
    expect(settingsOf({}).notify).toBeUndefined();
    expect(settingsOf({ notifyCommand: "/bin/true" }).notify?.on).toEqual(["failure", "batch"]);
    expect(settingsOf({ notifyCommand: "x", notifyOn: ["end,batch", "failure"] }).notify?.on).toEqual([
      "end",
      "batch",
      "failure",
    ]);
  });

  it("is named without what is a secret", async () => {
    const url = fileOf("  https://ada:SECRET@hooks.example.org:8443/services/SECRET \nmore\n");
    const smtp = fileOf("smtps://ada:SECRET@mail.example.org/?from=jobs@example.org");
    symlinkSync(url, `${url}-link`);
    const raw = { notifyCommand: "/bin/true", notifyMail: ["ada@b.org bob@b.org"], notifySmtpFile: smtp };
    expect(await targets({ ...raw, notifyUrlFile: `${url}-link` })).toEqual([
      "the command /bin/true",
      "the webhook at https://hooks.example.org:8443",
      "mail to ada@b.org, bob@b.org by mail.example.org",
    ]);
  });

  it.each<[string, RawOptions, RegExp]>([
    ["words without anybody to tell", { notifyOn: ["end"] }, /^--notify-on: it says nothing without/],
    ["a word that is none", { notifyCommand: "x", notifyOn: ["ends"] }, /ends: it must be of end, failure, batch/],
    ["an address twice", { notifyUrl: "http://a/", notifyUrlFile: "x" }, /is given as well/],
    ["an address of another kind", { notifyUrl: "file:///SECRET" }, /must be an address that begins with http/],
    ["an option in an address's place", { notifyMail: ["-Cfile"] }, /must be an address/],
    ["headers without an address", { notifyHeaderFile: "x" }, /says nothing without --notify-url/],
    ["a mail server without mail", { notifySmtpFile: "x", notifyCommand: "x" }, /says nothing without --notify-mail/],
  ])("is refused where it makes no sense: %s", (_, raw, why) => {
    let said = "";
    try {
      settingsOf(raw);
    } catch (error) {
      expect((error as Error).name).toBe("UsageError");
      said = (error as Error).message;
    }
    expect(said).toMatch(why);
    expect(said).not.toContain("SECRET");
  });

  it.each<[string, keyof RawOptions, string | undefined, RegExp]>([
    ["an address that is none", "notifyUrlFile", "SECRET\n", /its first line must be an address that begins with http/],
    ["an address in its second line", "notifyUrlFile", "\nhttps://SECRET\n", /its first line must be/],
    ["a header that is none", "notifyHeaderFile", "X-Token: a\nSECRET\n", /line 2 is no header/],
    ["a name that no header has", "notifyHeaderFile", "# SECRET\n\nX Y: SECRET\n", /line 3 is no header/],
    ["no mail server", "notifySmtpFile", "https://SECRET\n", /must be an address that begins with smtp/],
    ["no file", "notifyUrlFile", undefined, /there is no such file/],
    ["no program", "notifyCommand", undefined, /there is no such file/],
    ["a program that may not be run", "notifyCommand", "#!/bin/sh\n", /it is no program\. Make it one: chmod \+x \//],
  ])("is refused where a file is wrong, whose text is not shown: %s", async (_, name, text, why) => {
    const path = text === undefined ? "/nowhere/at/all" : fileOf(text);
    const more: RawOptions = {
      ...(name === "notifyHeaderFile" && { notifyUrl: "http://127.0.0.1:9" }),
      ...(name === "notifySmtpFile" && { notifyMail: ["ada"] }),
    };
    const refusal = await targets({ ...more, [name]: path }).catch((error: Error) => error);
    expect(refusal).toMatchObject({ name: "ConfigError", message: expect.stringMatching(why) });
    expect(refusal).toMatchObject({ message: expect.stringContaining(path) });
    expect(refusal).toMatchObject({ message: expect.not.stringContaining("SECRET") });
  });
});
