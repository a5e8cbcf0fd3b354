import { open, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { reasonOf, SelvageError } from './errors.ts';
import { randomName } from './random-name.ts';

/** Beginning of the names of files that are still being written; one that is left over is of a process that died. */
export const TEMPORARY_PREFIX = '.selvage-';

/**
 * Writes a file so that at every moment, a power cut included, `path` is either what it was or the whole new file:
 * under a temporary name in the same folder, fsynced, renamed, and the folder fsynced. A chunk must not change before
 * the next one is asked for. Resolves to the bytes written; on any fault `path` is untouched, the temporary file is
 * removed and FILE_UNWRITABLE is thrown (or what `chunks` threw, where that is a SelvageError).
 */
export async function writeFileAtomic(
  path: string,
  chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
  { mode = 0o644 }: { readonly mode?: number } = {},
): Promise<number> {
  const folder = dirname(path);
  const temporary = join(folder, `${TEMPORARY_PREFIX}${randomName(16)}.tmp`);
  try {
    const sizeBytes = await writeAndSync(temporary, chunks, mode);
    await rename(temporary, path);
    await syncFolder(folder);
    return sizeBytes;
  } catch (thrown) {
    await rm(temporary, { force: true }).catch(() => undefined);
    if (thrown instanceof SelvageError) throw thrown;
    throw SelvageError.of('FILE_UNWRITABLE', { path, reason: reasonOf(thrown) }, thrown);
  }
}

async function writeAndSync(
  path: string,
  chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
  mode: number,
): Promise<number> {
  const file = await open(path, 'wx', mode);
  try {
    let sizeBytes = 0;
    for await (const chunk of chunks) {
      for (let at = 0; at < chunk.length; ) {
        const { bytesWritten } = await file.write(chunk, at, chunk.length - at);
        at += bytesWritten;
      }
      sizeBytes += chunk.length;
    }
    await file.sync();
    return sizeBytes;
  } finally {
    await file.close();
  }
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
