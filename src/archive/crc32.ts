/** The checksum of zip, of data that come in pieces. Node has it from 20.15 on. Pure. */
import * as zlib from "node:zlib";

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value;
});

/** The checksum of what came before and this. */
export function crc32(bytes: Uint8Array, before = 0): number {
  if (typeof zlib.crc32 === "function") return zlib.crc32(bytes, before);
  return plainCrc32(bytes, before);
}

/** As crc32, without Node's. */
function plainCrc32(bytes: Uint8Array, before = 0): number {
  let value = ~before;
  for (const byte of bytes) value = (value >>> 8) ^ (TABLE[(value ^ byte) & 0xff] ?? 0);
  return ~value >>> 0;
}
