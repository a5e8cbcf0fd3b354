import { createHash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { errnoInWords } from '../lib/errno.ts';
import { SelvageError } from '../lib/errors.ts';
import type { ExternalFile } from '../store/models.ts';

const CHUNK_BYTES = 1024 * 1024;

/** What accompanies reading a file from end to end. */
export interface Passage {
  /** Path of the file that is read, for messages. */
  readonly path: string;
  /** Also written here, where given. */
  readonly target?: FileHandle | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Told of every piece read, in bytes. */
  readonly onBytes?: ((count: number) => void) | undefined;
}

/** The SHA-256 of a file's content and its length. */
export interface ContentHash {
  readonly hash: string;
  readonly sizeBytes: number;
}

/**
 * Reads a file from end to end in pieces of 1 MiB and hashes it. Throws MODEL_FILE_INVALID where it cannot be read,
 * CANCELLED, and what writing to `target` throws.
 */
export async function hashContent(source: FileHandle, passage: Passage): Promise<ContentHash> {
  const { path, target, signal, onBytes } = passage;
  const hash = createHash('sha256');
  const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
  let sizeBytes = 0;
  for (;;) {
    if (signal?.aborted === true) throw SelvageError.of('CANCELLED', {});
    const count = await readChunk(source, chunk, sizeBytes, path);
    if (count === 0) return { hash: hash.digest('hex'), sizeBytes };
    const bytes = chunk.subarray(0, count);
    hash.update(bytes);
    if (target !== undefined) await target.writeFile(bytes);
    sizeBytes += count;
    onBytes?.(count);
  }
}

/**
 * The name of a model in the store: the SHA-256 of its file, so that `sha256sum` tells it; with external data, of a
 * list of the model file's hash and every external file's hash and name, in the order of the names' bytes.
 */
export function modelHash(modelFileHash: string, externalFiles: readonly ExternalFile[]): string {
  if (externalFiles.length === 0) return modelFileHash;
  const lines = externalFiles
    .map(({ name, hash }) => Buffer.from(`${hash} ${name}\0`))
    .sort((one, other) => Buffer.compare(one.subarray(65), other.subarray(65)));
  const list = createHash('sha256').update(`selvage model with external data\0${modelFileHash}\0`);
  for (const line of lines) list.update(line);
  return list.digest('hex');
}

async function readChunk(source: FileHandle, chunk: Buffer, position: number, path: string): Promise<number> {
  try {
    return (await source.read(chunk, 0, chunk.length, position)).bytesRead;
  } catch (thrown) {
    throw SelvageError.of('MODEL_FILE_INVALID', { path, problem: errnoInWords(thrown) }, thrown);
  }
}
