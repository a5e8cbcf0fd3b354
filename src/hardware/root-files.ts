import { constants } from 'node:fs';
import { open, readdir, realpath, stat, statfs } from 'node:fs/promises';
import { join, resolve, sep } from 'node:path';
import { errnoOf, reasonOf } from '../lib/errors.ts';
import { cleanText, parseCpuList, parseInteger } from './kernel-values.ts';
import { dataOf, failed, found, none, type Outcome } from './outcome.ts';

/** Room of a file system, in bytes; `freeBytes` is what a process without privileges can use. */
interface Space {
  readonly sizeBytes: number;
  readonly freeBytes: number;
}

/** The one way collectors look at a machine: bounded reads below a root, with faults as values. */
export interface RootFiles {
  /** Whether the root is that of the running machine: only then may a program be asked, too. */
  readonly live: boolean;
  /** At most `limitBytes` from the start of a file. */
  read(path: string, limitBytes: number): Promise<Outcome<Uint8Array>>;
  /** Names in a directory, numbers in them in numeric order, at most `MAX_ENTRIES`. */
  list(path: string): Promise<Outcome<string[]>>;
  /** Whether something is there, of whatever kind. */
  exists(path: string): Promise<boolean>;
  /** Room of the file system at a path; none where the root is not the running machine's. */
  space(path: string): Promise<Outcome<Space>>;
}

/** Most names taken from one directory. */
const MAX_ENTRIES = 4096;

/** Bytes read from a file where the caller names no other limit: more than any single-value file holds. */
const DEFAULT_LIMIT_BYTES = 64 * 1024;

/**
 * Errors that say that the machine does not have this: no such file, no such device behind it, the kernel was built
 * or started without it (EOPNOTSUPP of pressure files), a sensor channel that is switched off (ENODATA).
 */
const ABSENT = new Set(['ENOENT', 'ENOTDIR', 'ENODEV', 'ENXIO', 'ENODATA', 'EOPNOTSUPP', 'ENOTSUP']);

/** Reads below `root`; nothing outside it is read, also not through symbolic links. */
export function rootFiles(root: string): RootFiles {
  const base = resolve(root);
  const live = base === sep;

  /** The real path, or undefined when it leads out of the root. */
  async function inside(path: string): Promise<string | undefined> {
    const full = join(base, path);
    if (live) return full;
    const [realBase, real] = await Promise.all([realpath(base), realpath(full)]);
    return real === realBase || real.startsWith(realBase + sep) ? real : undefined;
  }

  async function attempt<Data>(path: string, look: (real: string) => Promise<Data>): Promise<Outcome<Data>> {
    try {
      const real = await inside(path);
      return real === undefined ? failed('a link that leads out of the root') : found(await look(real));
    } catch (error) {
      const errno = errnoOf(error);
      if (errno !== undefined && ABSENT.has(errno)) return none;
      return failed(errno ?? reasonOf(error));
    }
  }

  return {
    live,
    read: (path, limitBytes) => attempt(path, (real) => readStart(real, limitBytes)),
    list: (path) =>
      attempt(path, async (real) => (await readdir(real)).sort(byNumber.compare).slice(0, MAX_ENTRIES)),
    exists: async (path) => (await attempt(path, (real) => stat(real))).status === 'ok',
    space: async (path) => {
      if (!live) return none;
      return attempt(path, async (real) => {
        const { bsize, blocks, bavail } = await statfs(real);
        return { sizeBytes: bsize * blocks, freeBytes: bsize * bavail };
      });
    },
  };
}

/** The start of a text file; bytes that are not UTF-8 become U+FFFD. */
export async function readText(
  files: RootFiles,
  path: string,
  limitBytes = DEFAULT_LIMIT_BYTES,
): Promise<Outcome<string>> {
  const bytes = await files.read(path, limitBytes);
  return bytes.status === 'ok' ? found(new TextDecoder().decode(bytes.data)) : bytes;
}

/** The first line of a file, safe to print; undefined when there is none. */
export async function readLine(files: RootFiles, path: string): Promise<string | undefined> {
  return cleanText(dataOf(await readText(files, path))?.split('\n', 1)[0]);
}

/** The integer that a file holds; undefined when it holds none. */
export async function readInteger(files: RootFiles, path: string): Promise<number | undefined> {
  return parseInteger(dataOf(await readText(files, path, 64)) ?? '');
}

/** The CPUs that a file lists, separated by commas or blanks; undefined when it lists none. */
export async function readCpuList(files: RootFiles, path: string): Promise<number[] | undefined> {
  const text = dataOf(await readText(files, path)) ?? '';
  return parseCpuList(text.trim().replaceAll(' ', ','));
}

/** Names in a directory that match, or an empty list. */
export async function listMatching(files: RootFiles, path: string, pattern: RegExp): Promise<string[]> {
  return (dataOf(await files.list(path)) ?? []).filter((name) => pattern.test(name));
}

const byNumber = new Intl.Collator('en', { numeric: true });

async function readStart(path: string, limitBytes: number): Promise<Uint8Array> {
  // O_NONBLOCK: a FIFO below a foreign root must not hold the probe up.
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const buffer = Buffer.alloc(Math.min(limitBytes, DEFAULT_LIMIT_BYTES));
    const parts: Buffer[] = [];
    for (let length = 0; length < limitBytes; ) {
      const { bytesRead } = await file.read(buffer, 0, Math.min(buffer.length, limitBytes - length), null);
      if (bytesRead === 0) break;
      parts.push(Buffer.from(buffer.subarray(0, bytesRead)));
      length += bytesRead;
    }
    return Buffer.concat(parts);
  } finally {
    await file.close();
  }
}
