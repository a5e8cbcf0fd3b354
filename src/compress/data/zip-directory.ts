import { type FileRange, readRange } from './data-file.ts';
import { DATA_LIMITS, dataInvalid } from './dataset.ts';

/** End-of-central-directory record: its signature, its size without comment, and the longest comment there can be. */
const END_SIGNATURE = 0x06054b50;
const END_BYTES = 22;
const MAX_COMMENT_BYTES = 0xffff;
const ENTRY_SIGNATURE = 0x02014b50;
const ENTRY_BYTES = 46;
const LOCAL_SIGNATURE = 0x04034b50;
const LOCAL_BYTES = 30;
const MAX_DIRECTORY_BYTES = 16 * 1024 * 1024;
const ENCRYPTED = 1;

/** A file in a ZIP archive. */
export interface ZipEntry {
  readonly name: string;
  /** 0 stored, 8 deflate; others occur. */
  readonly method: number;
  readonly encrypted: boolean;
  readonly crc32: number;
  readonly packedBytes: number;
  readonly sizeBytes: number;
  readonly localOffset: number;
}

/**
 * The entries of a ZIP archive as its central directory lists them (PKWARE APPNOTE 6.3.10, sections 4.3.12 and
 * 4.3.16). Throws DATA_INVALID for what is no ZIP archive, for a damaged one, for ZIP64 and split archives, and for
 * one of too many entries.
 */
export async function readZipDirectory(path: string, range: FileRange): Promise<ZipEntry[]> {
  const tailBytes = Math.min(range.sizeBytes, END_BYTES + MAX_COMMENT_BYTES);
  const tail = await readRange(path, range, range.sizeBytes - tailBytes, tailBytes);
  const at = findEnd(tail);
  if (at === undefined) throw dataInvalid(path, 'is not a complete ZIP archive: its directory is missing');
  const count = tail.readUInt16LE(at + 10);
  const sizeBytes = tail.readUInt32LE(at + 12);
  const offset = tail.readUInt32LE(at + 16);
  if (count === 0xffff || sizeBytes === 0xffffffff || offset === 0xffffffff) {
    throw dataInvalid(path, 'is a ZIP64 archive (over 4 GiB): split the data into smaller files');
  }
  const isSplit = tail.readUInt16LE(at + 4) !== 0 || tail.readUInt16LE(at + 8) !== count;
  const endOffset = range.sizeBytes - tailBytes + at;
  if (isSplit || offset + sizeBytes > endOffset) throw dataInvalid(path, 'has a damaged ZIP directory');
  if (count > DATA_LIMITS.archiveEntries || sizeBytes > MAX_DIRECTORY_BYTES) {
    throw dataInvalid(path, `holds ${count} files; at most ${DATA_LIMITS.archiveEntries} are accepted`);
  }
  return readEntries(path, await readRange(path, range, offset, sizeBytes), count);
}

/**
 * Where an entry's packed bytes lie: behind its local header, whose name and extra field may differ in length from
 * the directory's. Throws DATA_INVALID where they are not inside the archive.
 */
export async function locateZipEntry(path: string, range: FileRange, entry: ZipEntry): Promise<FileRange> {
  const header = await readRange(path, range, entry.localOffset, LOCAL_BYTES);
  if (header.readUInt32LE(0) !== LOCAL_SIGNATURE)
    throw dataInvalid(path, `'${entry.name}' is not where the ZIP directory says`);
  const start = entry.localOffset + LOCAL_BYTES + header.readUInt16LE(26) + header.readUInt16LE(28);
  if (start + entry.packedBytes > range.sizeBytes)
    throw dataInvalid(path, `'${entry.name}' ends outside the archive`);
  return { handle: range.handle, offset: range.offset + start, sizeBytes: entry.packedBytes };
}

/** The record nearest to the end whose comment reaches exactly to it. */
function findEnd(tail: Buffer): number | undefined {
  for (let at = tail.length - END_BYTES; at >= 0; at--) {
    if (tail.readUInt32LE(at) !== END_SIGNATURE) continue;
    if (at + END_BYTES + tail.readUInt16LE(at + 20) === tail.length) return at;
  }
  return undefined;
}

function readEntries(path: string, directory: Buffer, count: number): ZipEntry[] {
  const entries: ZipEntry[] = [];
  let at = 0;
  for (let index = 0; index < count; index++) {
    if (at + ENTRY_BYTES > directory.length || directory.readUInt32LE(at) !== ENTRY_SIGNATURE) {
      throw dataInvalid(path, 'has a damaged ZIP directory');
    }
    const nameEnd = at + ENTRY_BYTES + directory.readUInt16LE(at + 28);
    const end = nameEnd + directory.readUInt16LE(at + 30) + directory.readUInt16LE(at + 32);
    if (end > directory.length) throw dataInvalid(path, 'has a damaged ZIP directory');
    const entry = {
      name: directory.toString('utf8', at + ENTRY_BYTES, nameEnd),
      method: directory.readUInt16LE(at + 10),
      encrypted: (directory.readUInt16LE(at + 8) & ENCRYPTED) !== 0,
      crc32: directory.readUInt32LE(at + 16),
      packedBytes: directory.readUInt32LE(at + 20),
      sizeBytes: directory.readUInt32LE(at + 24),
      localOffset: directory.readUInt32LE(at + 42),
    };
    if ([entry.packedBytes, entry.sizeBytes, entry.localOffset].includes(0xffffffff)) {
      throw dataInvalid(path, `'${entry.name}' is over 4 GiB (ZIP64): split the data into smaller files`);
    }
    entries.push(entry);
    at = end;
  }
  return entries;
}
