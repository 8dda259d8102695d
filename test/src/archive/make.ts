/** Archives made byte by byte, so that they can be wrong in one thing. */
import { crc32 as crcOf, deflateRawSync } from "node:zlib";

/** A ustar header of one entry, and its content; what is given replaces what would be right. */
export function tarEntry(
  name: string | Buffer,
  content: string | Buffer = "",
  { type = "0", size, mode = 0o644, link = "", checksum = true }: Partial<TarFields> = {},
): Buffer {
  const body = Buffer.from(content);
  const header = Buffer.alloc(512);
  header.set(Buffer.from(name).subarray(0, 100), 0);
  header.write(`${mode.toString(8).padStart(7, "0")}\0`, 100);
  header.write("0000000\0", 108);
  header.write("0000000\0", 116);
  header.write(`${(size ?? body.length).toString(8).padStart(11, "0")}\0`, 124);
  header.write("14000000000\0", 136);
  header.write("        ", 148);
  header.write(type, 156);
  header.write(link, 157);
  header.write("ustar\x0000", 257, "latin1");
  const sum = header.reduce((all, byte) => all + byte, 0) + (checksum ? 0 : 1);
  header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  return Buffer.concat([header, body, Buffer.alloc((512 - (body.length % 512)) % 512)]);
}

export interface TarFields {
  readonly type: string;
  readonly size: number;
  readonly mode: number;
  readonly link: string;
  readonly checksum: boolean;
}

export function tar(...entries: Buffer[]): Buffer {
  return Buffer.concat([...entries, Buffer.alloc(1024)]);
}

/** One record of an extended header, with a length that is right. */
export function pax(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`;
  let length = Buffer.byteLength(rest);
  while (`${length}`.length + Buffer.byteLength(rest) !== length) length = `${length}`.length + Buffer.byteLength(rest);
  return length + rest;
}

export interface ZipFields {
  readonly name: string | Buffer;
  readonly content: string | Buffer;
  readonly method: number;
  readonly flags: number;
  readonly attributes: number;
  readonly madeBy: number;
  readonly crc: number;
  readonly size: number;
  /** Different in the header that stands at the file. */
  readonly local: Partial<ZipFields>;
  /** Behind the data. */
  readonly descriptor: Buffer;
  /** Where the header is, if not where it was put. */
  readonly offset: number;
}

const ATTRIBUTES = 0o100644 << 16;

function fieldsOf(fields: Partial<ZipFields>): ZipFields & { readonly data: Buffer } {
  const content = Buffer.from(fields.content ?? "");
  const method = fields.method ?? 8;
  return {
    name: "",
    flags: 0,
    attributes: ATTRIBUTES,
    madeBy: 3,
    crc: crcOf(content),
    size: content.length,
    local: {},
    descriptor: Buffer.alloc(0),
    offset: -1,
    ...fields,
    content,
    method,
    data: method === 8 ? deflateRawSync(content) : content,
  };
}

function common(fields: ReturnType<typeof fieldsOf>): Buffer {
  const bytes = Buffer.alloc(26);
  bytes.writeUInt16LE(20, 0);
  bytes.writeUInt16LE(fields.flags, 2);
  bytes.writeUInt16LE(fields.method, 4);
  bytes.writeUInt16LE(0x5000, 8);
  bytes.writeUInt32LE(fields.crc, 10);
  bytes.writeUInt32LE(fields.data.length, 14);
  bytes.writeUInt32LE(fields.size, 18);
  bytes.writeUInt16LE(Buffer.from(fields.name).length, 22);
  return bytes;
}

/** A zip archive of these. */
export function zip(...all: Partial<ZipFields>[]): Buffer {
  const parts: Buffer[] = [];
  const table: Buffer[] = [];
  let at = 0;
  for (const given of all) {
    const fields = fieldsOf(given);
    const local = { ...fields, ...given.local };
    const name = Buffer.from(fields.name);
    const entry = [Buffer.from("PK\x03\x04"), common(local), Buffer.from(local.name), fields.data, fields.descriptor];
    const tail = Buffer.alloc(14);
    tail.writeUInt32LE(fields.attributes >>> 0, 6);
    tail.writeUInt32LE(fields.offset < 0 ? at : fields.offset, 10);
    const madeBy = Buffer.from([63, fields.madeBy]);
    table.push(Buffer.from("PK\x01\x02"), madeBy, common(fields), tail, name);
    parts.push(...entry);
    at += Buffer.concat(entry).length;
  }
  const directory = Buffer.concat(table);
  const end = Buffer.alloc(22);
  end.write("PK\x05\x06", "latin1");
  end.writeUInt16LE(all.length, 8);
  end.writeUInt16LE(all.length, 10);
  end.writeUInt32LE(directory.length, 12);
  end.writeUInt32LE(at, 16);
  return Buffer.concat([...parts, directory, end]);
}
