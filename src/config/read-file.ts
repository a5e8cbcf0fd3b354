import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { errnoOf, reasonOf } from '../lib/errors.ts';

/** The bytes of a file, or why there are none; `missing` where there is no such file. */
export type ReadResult = { readonly bytes: Buffer } | { readonly problem: string; readonly missing: boolean };

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  ENOTDIR: 'there is no such file',
  EACCES: 'permission denied',
  EISDIR: 'expected a file, found a directory',
  ELOOP: 'too many symbolic links',
  ENAMETOOLONG: 'the name is too long',
};

/** Reads a regular file of at most `maxBytes`; never waits for a pipe or a device. */
export async function readBounded(path: string, maxBytes: number): Promise<ReadResult> {
  let file: FileHandle | undefined;
  try {
    // Without O_NONBLOCK opening a named pipe waits for a writer for ever.
    file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const stat = await file.stat();
    if (stat.isDirectory()) return refused('expected a file, found a directory');
    if (!stat.isFile()) return refused('expected a regular file');
    const buffer = Buffer.allocUnsafe(maxBytes + 1);
    const length = await readInto(file, buffer);
    if (length > maxBytes) return refused(`expected at most ${maxBytes} bytes, found more`);
    return { bytes: Buffer.from(buffer.subarray(0, length)) };
  } catch (thrown) {
    const errno = errnoOf(thrown) ?? '';
    return {
      problem: REASONS[errno] ?? describe(thrown, errno),
      missing: errno === 'ENOENT' || errno === 'ENOTDIR',
    };
  } finally {
    await file?.close();
  }
}

/** Strict UTF-8 without a byte order mark; undefined where the bytes are not UTF-8. */
export function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

async function readInto(file: FileHandle, buffer: Buffer): Promise<number> {
  let length = 0;
  while (length < buffer.length) {
    const { bytesRead } = await file.read(buffer, length, buffer.length - length, length);
    if (bytesRead === 0) break;
    length += bytesRead;
  }
  return length;
}

function refused(problem: string): ReadResult {
  return { problem, missing: false };
}

function describe(thrown: unknown, errno: string): string {
  // The message of a system error repeats the path; the name of the error says enough.
  return errno === '' ? reasonOf(thrown) : `cannot be read (${errno})`;
}
