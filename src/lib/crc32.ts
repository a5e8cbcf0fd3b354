const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let rest = byte;
  for (let bit = 0; bit < 8; bit++) rest = rest & 1 ? (rest >>> 1) ^ 0xedb88320 : rest >>> 1;
  return rest;
});

/** The CRC-32 of ZIP, gzip and PNG (ITU-T V.42), continuing from that of the bytes before. Node has one only from 20.15. */
export function crc32(bytes: Uint8Array, before = 0): number {
  let rest = ~before;
  for (let index = 0; index < bytes.length; index++) {
    rest = (TABLE[(rest ^ (bytes[index] as number)) & 0xff] as number) ^ (rest >>> 8);
  }
  return ~rest >>> 0;
}
