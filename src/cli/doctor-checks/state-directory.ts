import { randomBytes } from 'node:crypto';
import { open, rm, stat, statfs } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fsyncDirectory } from '../../lib/durable.ts';
import { errnoInWords } from '../../lib/errno.ts';
import { errnoOf } from '../../lib/errors.ts';
import { formatBytes } from '../format-bytes.ts';
import { type Check, type CheckResult, failure, ok, warning } from './check.ts';

const MIB = 1024 * 1024;
const SCARCE_BYTES = 500 * MIB;
const TOO_LITTLE_BYTES = 50 * MIB;

/** Checks the directory that models and databases are kept in. */
export const checkStateDirectory: Check = async ({ config }) =>
  config instanceof Error ? [] : checkStateAt(config.config.stateDir);

/** Checks that a state directory can be written durably and has room; makes no directory and leaves no file. */
export async function checkStateAt(path: string): Promise<CheckResult[]> {
  const found = await stat(path).catch((error: unknown) => error);
  if (errnoOf(found) === 'ENOENT') return [await checkMissing(path)];
  if (found instanceof Error) {
    const advice = 'Run this check as the user that runs Selvage, or correct the permissions.';
    return [failure('state directory', `${path}: ${errnoInWords(found)}`, advice)];
  }
  return [await checkWrites(path), await checkRoom(path)];
}

async function checkMissing(path: string): Promise<CheckResult> {
  const parent = await stat(dirname(path)).catch(() => undefined);
  const found = `${path} does not exist yet`;
  if (parent?.isDirectory()) {
    return warning(
      'state directory',
      found,
      'The first start makes it where it may; systemd makes /var/lib/selvage.',
    );
  }
  return failure('state directory', found, `Run \`mkdir -p ${path}\`, owned by the user that runs Selvage.`);
}

async function checkWrites(path: string): Promise<CheckResult> {
  const probe = join(path, `.doctor-${randomBytes(4).toString('hex')}`);
  try {
    const file = await open(probe, 'wx', 0o600);
    try {
      await file.writeFile('selvage');
      await file.sync();
    } finally {
      await file.close();
    }
    await fsyncDirectory(path);
    return ok('state directory', `${path}: writes reach the disk`);
  } catch (error) {
    return failure('state directory', `${path}: ${errnoInWords(error)}`, adviceFor(errnoOf(error), path));
  } finally {
    await rm(probe, { force: true }).catch(() => undefined);
  }
}

function adviceFor(errno: string | undefined, path: string): string {
  if (errno === 'EROFS') {
    return 'Mount it writable. A file system that became read-only by itself reports a failing disk or card: see `dmesg`.';
  }
  if (errno === 'EACCES' || errno === 'EPERM') {
    return `Make ${path} writable for the user that runs Selvage, or run this check as that user.`;
  }
  if (errno === 'ENOSPC' || errno === 'EDQUOT') return 'Free space on that disk.';
  if (errno === 'EIO') return 'The disk or card is failing: replace it.';
  return 'Choose another directory with `stateDir`.';
}

async function checkRoom(path: string): Promise<CheckResult> {
  const { bsize, bavail } = await statfs(path);
  return roomResult(path, bsize * bavail);
}

/** Judges the free bytes of the state directory's disk. */
export function roomResult(path: string, freeBytes: number): CheckResult {
  const found = `${formatBytes(freeBytes)} free at ${path}`;
  const advice = 'Free space, or set `stateDir` to a larger disk; models and the request log need it.';
  if (freeBytes < TOO_LITTLE_BYTES) return failure('disk space', found, advice);
  return freeBytes < SCARCE_BYTES ? warning('disk space', found, advice) : ok('disk space', found);
}
