import { randomBytes } from 'node:crypto';
import { type FileHandle, open, rm, statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createInflateRaw } from 'node:zlib';
import { crc32 } from '../../lib/crc32.ts';
import { errnoInWords } from '../../lib/errno.ts';
import { reasonOf, SelvageError } from '../../lib/errors.ts';
import { chunksOf, type FileRange } from './data-file.ts';
import { dataInvalid } from './dataset.ts';
import { locateZipEntry, type ZipEntry } from './zip-directory.ts';

const STORED = 0;
const DEFLATED = 8;
/** Deflate packs at most 1032 bytes into one (RFC 1951: 258 bytes in 2 bits); more in the directory is a lie. */
const MAX_DEFLATE_RATIO = 1032;

/** An entry of an archive as a stretch of a file, to be closed after use. */
export interface UnpackedEntry {
  readonly range: FileRange;
  close(): Promise<void>;
}

/**
 * Makes an entry readable at any offset: a stored one where it lies, a deflated one in a temporary file that has no
 * name, so that nothing is left behind even by a killed process. Its check sum is verified. Throws DATA_INVALID for a
 * damaged, encrypted or otherwise packed entry, and FILE_UNWRITABLE where the disk has no room.
 */
export async function unpackZipEntry(
  path: string,
  archive: FileRange,
  entry: ZipEntry,
  scratchDir: string = tmpdir(),
): Promise<UnpackedEntry> {
  if (entry.encrypted) throw dataInvalid(path, `'${entry.name}' is encrypted`);
  const packed = await locateZipEntry(path, archive, entry);
  if (entry.method === STORED && entry.packedBytes === entry.sizeBytes) {
    await verifyStored(path, packed, entry);
    return { range: packed, close: async () => {} };
  }
  if (entry.method !== DEFLATED) {
    throw dataInvalid(
      path,
      `'${entry.name}' is packed with method ${entry.method}; stored and deflate can be read`,
    );
  }
  if (entry.sizeBytes > entry.packedBytes * MAX_DEFLATE_RATIO) {
    throw dataInvalid(
      path,
      `'${entry.name}' announces ${entry.sizeBytes} bytes, more than its ${entry.packedBytes} packed ones can hold`,
    );
  }
  const handle = await nameless(scratchDir, entry.sizeBytes);
  try {
    await inflateInto(path, packed, entry, handle, scratchDir);
    return { range: { handle, offset: 0, sizeBytes: entry.sizeBytes }, close: () => handle.close() };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

async function verifyStored(path: string, packed: FileRange, entry: ZipEntry): Promise<void> {
  let sum = 0;
  for await (const chunk of chunksOf(path, packed)) sum = crc32(chunk, sum);
  if (sum !== entry.crc32) throw damaged(path, entry);
}

async function inflateInto(
  path: string,
  packed: FileRange,
  entry: ZipEntry,
  target: FileHandle,
  scratchDir: string,
): Promise<void> {
  let sum = 0;
  let sizeBytes = 0;
  const write = async (chunks: AsyncIterable<Buffer>): Promise<void> => {
    for await (const chunk of chunks) {
      sum = crc32(chunk, sum);
      if (sizeBytes + chunk.length > entry.sizeBytes) throw damaged(path, entry);
      await writeAll(target, chunk, sizeBytes, scratchDir);
      sizeBytes += chunk.length;
    }
  };
  try {
    // The stream keeps what it is given, and `chunksOf` reuses its buffer.
    const copies = async function* () {
      for await (const chunk of chunksOf(path, packed)) yield Buffer.from(chunk);
    };
    await pipeline(Readable.from(copies(), { objectMode: false }), createInflateRaw(), write);
  } catch (error) {
    if (error instanceof SelvageError) throw error;
    throw dataInvalid(path, `'${entry.name}' is damaged: ${reasonOf(error)}`, error);
  }
  if (sizeBytes !== entry.sizeBytes || sum !== entry.crc32) throw damaged(path, entry);
}

/** A new file in `folder` whose name is gone at once; throws FILE_UNWRITABLE where there is no room for it. */
async function nameless(folder: string, sizeBytes: number): Promise<FileHandle> {
  try {
    const { bavail, bsize } = await statfs(folder);
    if (bavail * bsize < sizeBytes) {
      const reason = `unpacking needs ${sizeBytes} bytes, ${bavail * bsize} are free`;
      throw SelvageError.of('FILE_UNWRITABLE', { path: folder, reason });
    }
    const file = join(folder, `.selvage-${randomBytes(8).toString('hex')}.tmp`);
    const handle = await open(file, 'wx+', 0o600);
    await rm(file);
    return handle;
  } catch (error) {
    if (error instanceof SelvageError) throw error;
    throw SelvageError.of('FILE_UNWRITABLE', { path: folder, reason: errnoInWords(error) }, error);
  }
}

async function writeAll(target: FileHandle, chunk: Buffer, offset: number, folder: string): Promise<void> {
  try {
    for (let at = 0; at < chunk.length; ) {
      const { bytesWritten } = await target.write(chunk, at, chunk.length - at, offset + at);
      at += bytesWritten;
    }
  } catch (error) {
    throw SelvageError.of('FILE_UNWRITABLE', { path: folder, reason: errnoInWords(error) }, error);
  }
}

function damaged(path: string, entry: ZipEntry): SelvageError {
  return dataInvalid(path, `'${entry.name}' is damaged: its contents are not what the ZIP directory says`);
}
