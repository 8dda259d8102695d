import { execFileSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { runFilter } from "../../../engines/run-program.ts";
import type { ArchiveLimits } from "../../../src/archive/entries.ts";
import { ArchiveFault } from "../../../src/archive/fault.ts";
import { archiveName } from "../../../src/archive/names.ts";
import { type Checked, checkArchive, type Reading, unpackArchive } from "../../../src/archive/unpack.ts";
import { realDisk } from "../../../src/disk.ts";
import { makeFolder } from "../../harness.ts";
import { pax, tar, tarEntry, type ZipFields, zip } from "./make.ts";

const LIMITS: ArchiveLimits = { bytesMax: 1e9, entriesMax: 1000, ratioMax: 250 };

async function reading<T>(
  path: string,
  action: (reading: Reading) => Promise<T>,
  more: Partial<Reading> = {},
): Promise<T> {
  const form = archiveName(path)?.form ?? "tar";
  const file = realDisk.open(path);
  try {
    return await action({ file, form, limits: LIMITS, filter: runFilter, stop: new AbortController().signal, ...more });
  } finally {
    file.close();
  }
}

/** The file and link names below a folder. */
function tree(folder: string): string[] {
  return (readdirSync(folder, { recursive: true }) as string[])
    .filter((path) => !lstatSync(join(folder, path)).isDirectory())
    .sort();
}

async function unpacked(path: string): Promise<string> {
  const folder = join(makeFolder(), "job");
  mkdirSync(folder);
  await reading(path, async (one) => unpackArchive(realDisk, one, await checkArchive(one), folder));
  return folder;
}

/** What is said against an archive of these bytes; it is unpacked if nothing is, and what was unpacked is there then. */
async function faultOf(name: string, bytes: Buffer, more: Partial<Reading> = {}): Promise<string> {
  const around = makeFolder();
  const path = join(around, name);
  writeFileSync(path, bytes);
  const folder = join(around, "job");
  mkdirSync(folder);
  try {
    await reading(path, async (one) => unpackArchive(realDisk, one, await checkArchive(one), folder), more);
    return `none: ${tree(folder)}`;
  } catch (error) {
    if (!(error instanceof ArchiveFault)) throw error;
    expect(tree(folder)).toEqual([]);
    return error.message;
  }
}

const JOB = tarEntry("job.sh", "true\n");
const ZIPPED_JOB: Partial<ZipFields> = { name: "job.sh", content: "true\n" };
const UNIX = (mode: number) => mode << 16;

function withWrongSum(bytes: Buffer): Buffer {
  return bytes.fill(0x55, bytes.length - 8, bytes.length - 4);
}

function descriptor(crc: number, packed: number, size: number): Buffer {
  const bytes = Buffer.from("PK\x07\x08............");
  bytes.writeUInt32LE(crc, 4);
  bytes.writeUInt32LE(packed, 8);
  bytes.writeUInt32LE(size, 12);
  return bytes;
}

describe("a tar archive is refused whole", () => {
  const long = Buffer.from("x".repeat(300));
  it.each<[string, Buffer, RegExp]>([
    ["that leads out of it", tar(JOB, tarEntry("../evil")), /leads out of it: \.\.\/evil/],
    ["that leads out of it in the middle", tar(JOB, tarEntry("a/../../evil")), /leads out of it/],
    ["with an absolute name", tar(JOB, tarEntry("/etc/evil")), /absolute name: \/etc\/evil/],
    ["with a symbolic link", tar(JOB, tarEntry("a", "", { type: "2", link: "/etc" })), /a symbolic link, a\./],
    ["with a hard link", tar(JOB, tarEntry("a", "", { type: "1", link: "job.sh" })), /a hard link, a\./],
    ["with a device", tar(JOB, tarEntry("a", "", { type: "3" })), /a device, a\./],
    ["with a named pipe", tar(JOB, tarEntry("a", "", { type: "6" })), /a named pipe, a\./],
    ["whose job.sh is a link", tar(tarEntry("job.sh", "", { type: "2", link: "/bin/sh" })), /a symbolic link, job\.sh/],
    ["with the same name twice", tar(JOB, JOB), /the name job\.sh twice/],
    ["with one name written in two ways", tar(JOB, tarEntry("./a"), tarEntry("a")), /the name a twice/],
    ["with a file as a folder", tar(JOB, tarEntry("a"), tarEntry("a/b")), /a as a file and as a folder/],
    ["with a file and a folder of one name", tar(JOB, tarEntry("a"), tarEntry("a/", "", { type: "5" })), /a twice/],
    ["with a name that is not UTF-8", tar(JOB, tarEntry(Buffer.from([0x61, 0xe4]))), /not UTF-8/],
    ["with a name that is too long", tar(JOB, tarEntry("L", `${long}\0`, { type: "L" }), tarEntry("x")), /too long/],
    ["with folders too deep", tar(JOB, tarEntry("L", "a/".repeat(70), { type: "L" }), tarEntry("x")), /in each other/],
    ["with an old sparse file", tar(JOB, tarEntry("a", "", { type: "S" })), /sparse/],
    [
      "with a new sparse file",
      tar(JOB, tarEntry("p", pax("GNU.sparse.major", "1"), { type: "x" }), tarEntry("a")),
      /sparse/,
    ],
    ["with a kind that nobody knows", tar(JOB, tarEntry("a", "", { type: "Z" })), /a kind that is not known/],
    ["with a label", tar(tarEntry("a", "", { type: "V" }), JOB), /a kind that is not known/],
    [
      "with a header that is wrong",
      tar(JOB, tarEntry("a", "", { checksum: false })),
      /header of a file in it is wrong/,
    ],
    ["that begins with something else", Buffer.from("echo hello\n".repeat(100)), /header of its first file is wrong/],
    ["with an extended header that is wrong", tar(tarEntry("p", "99 path=a\n", { type: "x" }), JOB), /cannot be read/],
    ["that names all files", tar(tarEntry("p", pax("path", "a"), { type: "g" }), JOB), /all files one name/],
    ["with a header that is too long", tar(tarEntry("p", "", { type: "x", size: 2e6 })), /too long/],
    ["without an end", Buffer.concat([JOB]), /end is missing/],
    ["that is cut off in a file", tar(JOB, tarEntry("a", "x".repeat(9000))).subarray(0, 5000), /end is missing/],
    ["that is cut off in a header", tar(JOB, tarEntry("a")).subarray(0, 1100), /end is missing/],
    ["whose size is a lie", tar(JOB, tarEntry("a", "x", { size: 9e9 })), /end is missing|more than/],
    ["that is empty", tar(), /It is empty/],
    [
      "with nothing but a folder",
      tar(tarEntry("a/", "", { type: "5" })),
      /no job\.sh in it: its folder a holds nothing/,
    ],
    ["without job.sh", tar(tarEntry("a"), tarEntry("b")), /no job\.sh in it: it holds a, b\. Put job\.sh at the top/],
    ["with job.sh too deep", tar(tarEntry("a/b/job.sh")), /no job\.sh in it: its folder a holds b\./],
    ["with two folders", tar(tarEntry("a/job.sh"), tarEntry("b/x")), /no job\.sh in it: it holds a, b/],
  ])("%s", async (_, bytes, expected) => {
    expect(await faultOf("a.tar", bytes)).toMatch(expected);
  });

  it.each<[string, string, Buffer, RegExp]>([
    ["cut off", "a.tgz", gzipSync(tar(JOB, tarEntry("a", "x".repeat(9000)))).subarray(0, -20), /end is missing/],
    ["damaged", "a.tgz", gzipSync(tar(JOB)).fill(0x55, 20, 40), /damaged/],
    ["with a wrong checksum", "a.tgz", withWrongSum(gzipSync(tar(JOB))), /damaged: incorrect data check/],
    ["that is zstd", "a.tgz", Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0, 0]), /says that it is gzip, but it is zstd/],
    ["that is bzip2", "a.tar.gz", Buffer.from("BZh91AY"), /but it is bzip2/],
    ["that is zip", "a.tar.gz", zip(ZIPPED_JOB), /but it is zip\. Name it \.zip/],
    ["that is gzip", "a.tar", gzipSync(tar(JOB)), /but it is gzip\. Name it \.tar\.gz/],
    ["that is gzip twice", "a.tgz", gzipSync(gzipSync(tar(JOB))), /no tar archive|end is missing/],
    ["of text", "a.tar.xz", Buffer.from("hello"), /no xz file, as its name says/],
  ])("compressed: %s", async (_, name, bytes, expected) => {
    expect(await faultOf(name, bytes)).toMatch(expected);
  });

  it("compressed by xz, cut off and damaged", async () => {
    const whole = execFileSync("xz", ["-c"], { input: tar(JOB, tarEntry("a", "x".repeat(9000))) });
    expect(await faultOf("a.tar.xz", whole.subarray(0, -30))).toMatch(/end is missing|Unexpected end/);
    expect(await faultOf("a.tar.xz", Buffer.from(whole).fill(0x55, 40, 60))).toMatch(/damaged/);
    expect(await faultOf("a.tar.xz", whole)).toBe("none: a,job.sh");
  });
});

describe("a zip archive is refused whole", () => {
  const lie = { flags: 8, local: { crc: 0, size: 0 } };
  it.each<[string, Buffer, RegExp]>([
    ["that leads out of it", zip(ZIPPED_JOB, { name: "../evil" }), /leads out of it/],
    ["with an absolute name", zip(ZIPPED_JOB, { name: "/evil" }), /absolute name/],
    ["with a drive", zip(ZIPPED_JOB, { name: "C:/evil" }), /absolute name/],
    ["with a backslash", zip(ZIPPED_JOB, { name: "..\\evil" }), /backslash/],
    ["with a symbolic link", zip(ZIPPED_JOB, { name: "a", attributes: UNIX(0o120777) }), /a symbolic link, a/],
    ["with a link by another system", zip(ZIPPED_JOB, { name: "a", madeBy: 0, attributes: UNIX(0o120777) }), /link, a/],
    ["with a device", zip(ZIPPED_JOB, { name: "a", attributes: UNIX(0o060666) }), /a device, a/],
    ["that is encrypted", zip({ ...ZIPPED_JOB, flags: 1 }), /encrypted\. Make it without a password/],
    ["that is strongly encrypted", zip({ ...ZIPPED_JOB, flags: 0x41 }), /encrypted/],
    ["with an unknown method", zip({ ...ZIPPED_JOB, method: 93 }), /method 93/],
    ["with the same name twice", zip(ZIPPED_JOB, ZIPPED_JOB), /the name job\.sh twice/],
    ["with a name that is not UTF-8", zip(ZIPPED_JOB, { name: Buffer.from([0xe4]) }), /not UTF-8/],
    ["with a wrong checksum", zip({ ...ZIPPED_JOB, crc: 1 }), /checksum of job\.sh is wrong/],
    ["with a size that is too large", zip({ ...ZIPPED_JOB, size: 6 }), /damaged: not enough bytes/],
    ["with a size that is too small", zip({ ...ZIPPED_JOB, size: 4 }), /damaged: too many bytes/],
    ["with two names for one file", zip({ ...ZIPPED_JOB, local: { name: "rm.sh." } }), /is not what stands there/],
    ["with two methods for one file", zip({ ...ZIPPED_JOB, local: { method: 0 } }), /is not what stands there/],
    ["with two sizes for one file", zip({ ...ZIPPED_JOB, local: { size: 99 } }), /is not what stands there/],
    ["whose descriptor lies", zip({ ...ZIPPED_JOB, ...lie, descriptor: descriptor(1, 2, 3) }), /not what stands there/],
    ["whose descriptor is missing", zip({ ...ZIPPED_JOB, ...lie }), /not what stands there/],
    ["whose files lie in each other", zip(ZIPPED_JOB, { ...ZIPPED_JOB, offset: 0 }), /lie in each other/],
    ["with a folder that has content", zip(ZIPPED_JOB, { name: "a/", content: "x" }), /is a folder, and has content/],
    ["with a file as a folder", zip(ZIPPED_JOB, { name: "a" }, { name: "a/b" }), /a as a file and as a folder/],
    ["without job.sh", zip({ name: "a" }), /no job\.sh in it: it holds a/],
    ["without a table of contents", zip(ZIPPED_JOB).subarray(0, -30), /end is missing/],
    ["that is something else", Buffer.from("hello, world, this is no zip archive"), /no zip archive/],
    ["that is empty", zip(), /It is empty/],
  ])("%s", async (_, bytes, expected) => {
    expect(await faultOf("a.zip", bytes)).toMatch(expected);
  });

  it("or not, if its descriptors are right", async () => {
    const plain = zip(ZIPPED_JOB);
    const crc = plain.readUInt32LE(14);
    const packed = plain.readUInt32LE(18);
    const good = { ...ZIPPED_JOB, ...lie, descriptor: descriptor(crc, packed, 5) };
    expect(await faultOf("a.zip", zip(good))).toBe("none: job.sh");
  });
});

describe("bombs", () => {
  const zeros = tar(JOB, tarEntry("zeros", Buffer.alloc(300e6)));
  it("by their bytes", async () => {
    const limits = { ...LIMITS, bytesMax: 1e6 };
    expect(await faultOf("a.tgz", gzipSync(zeros, { level: 1 }), { limits })).toMatch(/more than 1 MB.*--archive-size/);
    expect(await faultOf("a.zip", zip(ZIPPED_JOB, { name: "a", size: 2e6 }), { limits })).toMatch(/more than 1 MB/);
  });
  it("by how many times their own size they hold", async () => {
    const limits = { ...LIMITS, ratioMax: 100 };
    expect(await faultOf("a.tgz", gzipSync(zeros), { limits })).toMatch(/more than 100 times.*--archive-ratio/);
    const zipped = { name: "zeros", content: Buffer.alloc(300e6) };
    expect(await faultOf("a.zip", zip(ZIPPED_JOB, zipped), { limits })).toMatch(/more than 100 times/);
  });
  it("by their number of entries", async () => {
    const limits = { ...LIMITS, entriesMax: 3 };
    const many = [1, 2, 3].map((n) => `f${n}`);
    expect(await faultOf("a.tar", tar(JOB, ...many.map((name) => tarEntry(name))), { limits })).toMatch(
      /more than 3 files/,
    );
    expect(await faultOf("a.zip", zip(ZIPPED_JOB, ...many.map((name) => ({ name }))), { limits })).toMatch(
      /more than 3/,
    );
  });
});

describe("names", () => {
  const folders = Array.from({ length: 14 }, () => "d".repeat(200)).join("/");
  const long = (count: number) => Array.from({ length: count }, (_, i) => `${folders}/${i}`);
  const told = (name: string) => Buffer.concat([tarEntry("x", pax("path", name), { type: "x" }), tarEntry("x")]);

  it("may not fill the memory together, however few they are", async () => {
    const fault = /^The names in it are longer than 1 MB together.*--archive-entries/;
    expect(await faultOf("a.tar", tar(JOB, ...long(500).map(told)))).toMatch(fault);
    expect(await faultOf("a.zip", zip(ZIPPED_JOB, ...long(500).map((name) => ({ name }))))).toMatch(fault);
  });
  it("may be longer where there may be more entries, and some may be long in any case", async () => {
    const path = join(makeFolder(), "a.tar");
    writeFileSync(path, tar(JOB, ...long(500).map(told)));
    const checked = await reading(path, checkArchive, { limits: { ...LIMITS, entriesMax: 8000 } });
    expect(checked.count).toBe(501);
    expect(await faultOf("a.tar", tar(JOB, ...long(5).map(told)))).toMatch(/^none: /);
  });
});

describe("what is unpacked", () => {
  it.each(["gnu", "pax", "ustar", "v7", "oldgnu"])("is what GNU tar packed (--format=%s)", async (format) => {
    const around = makeFolder();
    const folder = join(around, "one");
    const short = format === "v7" || format === "ustar";
    const deep = join(folder, short ? "deep" : `deep/${"d".repeat(120)}/${"e".repeat(200)}`);
    mkdirSync(deep, { recursive: true });
    mkdirSync(join(folder, "empty"));
    const files = { "job.sh": "true\n", "ünï cödé\n": "x", zero: "", [`deep/${short ? "f" : "n".repeat(150)}`]: "y" };
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
    writeFileSync(join(deep, "large"), Buffer.alloc(300_000, "abc"));
    chmodSync(join(folder, "job.sh"), 0o4755);
    utimesSync(join(folder, "zero"), 1e9, 1e9);
    const path = join(around, "a.tar");
    execFileSync("tar", ["-C", around, `--format=${format}`, "-cf", path, "one"]);
    const job = await unpacked(path);
    expect(tree(job)).toEqual(tree(folder));
    execFileSync("diff", ["-r", folder, job]);
    expect(existsSync(join(job, "empty"))).toBe(true);
    expect(statSync(join(job, "zero")).mtimeMs).toBe(1e12);
    expect(statSync(join(job, "job.sh")).mode & 0o7777).toBe(0o755 & ~process.umask());
  });

  it.each(["a.zip", "a.tar.xz", "a.tgz"])(
    "is what real programs packed (%s), from within and from without",
    async (name) => {
      const around = makeFolder();
      mkdirSync(join(around, "one/sub"), { recursive: true });
      for (const file of ["job.sh", "sub/ü", "sub/.hidden"]) writeFileSync(join(around, "one", file), file);
      const pack = (cwd: string, what: string) => {
        const path = join(makeFolder(), name);
        if (name === "a.zip") execFileSync("zip", ["-qr", path, what], { cwd });
        else execFileSync("tar", ["-caf", path, what], { cwd });
        return path;
      };
      for (const path of [pack(around, "one"), pack(join(around, "one"), ".")])
        execFileSync("diff", ["-r", join(around, "one"), await unpacked(path)]);
    },
  );

  it("is put together of zip's stream, whose sizes come behind", async () => {
    const around = makeFolder();
    writeFileSync(join(around, "job.sh"), "true\n");
    const bytes = execFileSync("sh", ["-c", "zip -q - job.sh | cat"], { cwd: around });
    expect(await faultOf("a.zip", bytes)).toBe("none: job.sh");
  });

  it.each<[string, Buffer[], string]>([
    [
      "leaves out what a Mac adds",
      [tarEntry("__MACOSX/._x"), tarEntry("._one"), tarEntry(".DS_Store"), tarEntry("one/job.sh")],
      "job.sh",
    ],
    [
      "leaves out what says of earlier attempts",
      [tarEntry("one/.jobmgr/turn-1", "", { type: "2", link: "x" }), tarEntry("one/job.sh")],
      "job.sh",
    ],
    ["needs no entries for folders", [tarEntry("one/a/b/c"), tarEntry("one/job.sh")], "a/b/c,job.sh"],
    [
      "may name a folder twice, and after what is in it",
      [tarEntry("a/b"), tarEntry("a/", "", { type: "5" }), tarEntry("./a/", "", { type: "5" }), JOB],
      "a/b,job.sh",
    ],
    [
      "keeps a hidden file and its like",
      [JOB, tarEntry(".env"), tarEntry("sub/.jobmgr/x")],
      ".env,job.sh,sub/.jobmgr/x",
    ],
    ["knows git's comment for all files", [tarEntry("p", pax("comment", "abc"), { type: "g" }), JOB], "job.sh"],
    [
      "knows long names of both kinds",
      [
        tarEntry("p", pax("path", "one/päx"), { type: "x" }),
        tarEntry("?"),
        tarEntry("L", "one/job.sh\0", { type: "L" }),
        tarEntry("?"),
      ],
      "job.sh,päx",
    ],
  ])("%s", async (_, entries, expected) => {
    expect(await faultOf("a.tar", tar(...entries))).toBe(`none: ${expected}`);
  });

  it("has folders that can be entered, whatever their mode was", async () => {
    const path = join(makeFolder(), "a.tar");
    writeFileSync(path, tar(tarEntry("a/", "", { type: "5", mode: 0 }), tarEntry("a/b", "x", { mode: 0o7000 }), JOB));
    const job = await unpacked(path);
    expect(statSync(join(job, "a")).mode & 0o7777).toBe(0o700);
    expect(statSync(join(job, "a/b")).mode & 0o7777).toBe(0o600);
    expect(readFileSync(join(job, "a/b"), "utf8")).toBe("x");
  });
});

it("whatever is changed in an archive or cut off, it is refused, or no name in it leads out of it", async () => {
  const sound = {
    "a.tar": tar(tarEntry("one/job.sh", "true\n"), tarEntry("one/data", "x".repeat(2000))),
    "a.tgz": gzipSync(tar(tarEntry("one/job.sh", "true\n"), tarEntry("one/data", "x".repeat(2000)))),
    "a.zip": zip({ name: "one/job.sh", content: "true\n" }, { name: "one/data", content: "x".repeat(2000) }),
  };
  const around = makeFolder();
  const check = async (name: keyof typeof sound, at: number, byte: number, end: number) => {
    const bytes = Buffer.from(sound[name]);
    bytes[Math.floor(at * bytes.length)] = byte;
    const path = join(around, name);
    writeFileSync(path, bytes.subarray(0, Math.ceil(end * bytes.length)));
    const checked = await reading(path, checkArchive).catch((error: unknown): Checked | undefined => {
      if (!(error instanceof ArchiveFault)) throw error;
      return undefined;
    });
    for (const entry of checked?.entries.keys() ?? []) expect(entry).not.toMatch(/^\/|(^|\/)\.\.(\/|$)/);
  };
  const part = fc.double({ min: 0, max: 0.999, noNaN: true });
  const end = fc.oneof(fc.constant(1), part);
  await fc.assert(
    fc.asyncProperty(fc.constantFrom("a.tar", "a.tgz", "a.zip"), part, fc.nat(255), end, (name, at, byte, cut) =>
      check(name as keyof typeof sound, at, byte, cut),
    ),
    { numRuns: 300 },
  );
});
