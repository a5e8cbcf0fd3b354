import { createHash, type Hash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { errnoInWords } from '../../lib/errno.ts';
import { SelvageError } from '../../lib/errors.ts';
import { dataInvalid } from './dataset.ts';

const CHUNK_BYTES = 1024 * 1024;

/** A stretch of an open file. */
export interface FileRange {
  readonly handle: FileHandle;
  readonly offset: number;
  readonly sizeBytes: number;
}

/** A regular file opened for reading. Throws FILE_UNREADABLE, or DATA_INVALID for what is no regular file. */
export async function openDataFile(path: string): Promise<FileRange> {
  const handle = await open(path, 'r').catch((error: unknown) => {
    throw SelvageError.of('FILE_UNREADABLE', { path, reason: errnoInWords(error) }, error);
  });
  try {
    const status = await handle.stat();
    if (!status.isFile()) throw dataInvalid(path, 'is not a regular file');
    return { handle, offset: 0, sizeBytes: status.size };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** Reads `sizeBytes` bytes at `offset` of a range. Throws DATA_INVALID where they are not there (any more). */
export async function readRange(
  path: string,
  range: FileRange,
  offset: number,
  sizeBytes: number,
): Promise<Buffer> {
  if (offset < 0 || sizeBytes < 0 || offset + sizeBytes > range.sizeBytes) {
    throw dataInvalid(path, `ends before byte ${offset + sizeBytes}`);
  }
  // A buffer of its own: pooled ones are not aligned for typed arrays.
  const bytes = Buffer.alloc(sizeBytes);
  for (let filled = 0; filled < sizeBytes; ) {
    const { bytesRead } = await readAt(path, range, bytes, filled, offset + filled);
    if (bytesRead === 0) throw dataInvalid(path, 'was cut off while it was read');
    filled += bytesRead;
  }
  return bytes;
}

/** The bytes of a range in pieces; each is valid until the next is asked for. */
export async function* chunksOf(path: string, range: FileRange): AsyncGenerator<Buffer> {
  const chunk = Buffer.alloc(Math.min(CHUNK_BYTES, range.sizeBytes));
  for (let offset = 0; offset < range.sizeBytes; ) {
    const { bytesRead } = await readAt(path, range, chunk, 0, offset);
    if (bytesRead === 0) throw dataInvalid(path, 'was cut off while it was read');
    const sizeBytes = Math.min(bytesRead, range.sizeBytes - offset);
    yield chunk.subarray(0, sizeBytes);
    offset += sizeBytes;
  }
}

/** The whole of a small file; throws as `openDataFile` does, and DATA_INVALID above `limitBytes`. */
export async function readSmallFile(path: string, limitBytes: number): Promise<Buffer> {
  const file = await openDataFile(path);
  try {
    if (file.sizeBytes > limitBytes) {
      throw dataInvalid(path, `${file.sizeBytes} bytes are over the limit of ${limitBytes}`);
    }
    return await readRange(path, file, 0, file.sizeBytes);
  } finally {
    await file.handle.close();
  }
}

/** A SHA-256 that has begun with the labels, so that other labels make another fingerprint. */
export function fingerprintHash(labels: Int32Array | undefined): Hash {
  const hash = createHash('sha256');
  hash.update(labels === undefined ? 'no labels\n' : `labels ${labels.length}\n`);
  if (labels !== undefined) hash.update(labels);
  return hash;
}

/** Fingerprint of a range with the labels that belong to it. */
export async function rangeFingerprint(
  path: string,
  range: FileRange,
  labels: Int32Array | undefined,
): Promise<string> {
  const hash = fingerprintHash(labels);
  for await (const chunk of chunksOf(path, range)) hash.update(chunk);
  return hash.digest('hex');
}

function readAt(path: string, range: FileRange, target: Buffer, at: number, offset: number) {
  return range.handle.read(target, at, target.length - at, range.offset + offset).catch((error: unknown) => {
    throw SelvageError.of('FILE_UNREADABLE', { path, reason: errnoInWords(error) }, error);
  });
}
