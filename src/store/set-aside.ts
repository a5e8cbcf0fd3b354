import { existsSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

/** Damaged copies that are kept of one database; older ones are deleted so that they cannot fill the disk. */
const KEPT = 2;

/** A database file that was found damaged and moved out of the way. */
export interface SetAside {
  readonly path: string;
  readonly movedTo: string;
  /** What was found, in words. */
  readonly reason: string;
}

/**
 * Moves a damaged database with its -wal and -shm files to `<path>.corrupt-<time>`, where SQLite's `.recover` can
 * still read it, and deletes all but the two newest such copies. Returns the new path.
 */
export function setAside(path: string, now = Date.now()): string {
  const movedTo = `${path}.corrupt-${new Date(now).toISOString().replace(/[:.]/g, '-')}`;
  for (const suffix of ['', '-wal', '-shm']) {
    if (existsSync(path + suffix)) renameSync(path + suffix, movedTo + suffix);
  }
  const directory = dirname(path);
  const copies = readdirSync(directory)
    .filter((name) => name.startsWith(`${basename(path)}.corrupt-`) && !/-(wal|shm)$/.test(name))
    .sort();
  for (const old of copies.slice(0, -KEPT)) {
    for (const suffix of ['', '-wal', '-shm']) rmSync(join(directory, old + suffix), { force: true });
  }
  return movedTo;
}
