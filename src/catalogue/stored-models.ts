import { readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf } from '../lib/errors.ts';
import { stateUnavailable } from '../store/sqlite-fault.ts';
import { isModelHash, modelsDirectory, TEMPORARY_PREFIX } from './model-path.ts';

/** Age at which an unfinished directory cannot belong to a running import any more. */
const TEMPORARY_AGE_MS = 24 * 3_600_000;

/** What `removeUnusedModels` keeps. */
export interface RemovalOptions {
  readonly stateDir: string;
  /** Hashes of models in use. */
  readonly keep: ReadonlySet<string>;
  /** Models imported less than this ago stay too, in milliseconds: one may be about to be used. */
  readonly graceMs: number;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/**
 * Removes what imports have left whose process is gone, and returns how many; for the agent's start. (What stays
 * because another process has the number by now is removed by `removeUnusedModels` a day later.) Throws
 * STATE_UNAVAILABLE.
 */
export async function removeTemporaryFiles(stateDir: string): Promise<number> {
  const names = await storedNames(stateDir);
  const left = names.filter((name) => name.startsWith(TEMPORARY_PREFIX) && !isBeingWritten(name));
  for (const name of left) await removeTree(join(modelsDirectory(stateDir), name));
  return left.length;
}

/**
 * Removes models that are not in use, and what imports cut off a day ago have left; returns the hashes removed.
 * Throws STATE_UNAVAILABLE.
 */
export async function removeUnusedModels(options: RemovalOptions): Promise<string[]> {
  const { stateDir, keep, graceMs, now } = options;
  const removed: string[] = [];
  for (const name of await storedNames(stateDir)) {
    const path = join(modelsDirectory(stateDir), name);
    const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: now }));
    // The distance, not the difference: a model "from the future" is one imported before the clock was set.
    const age = Math.abs(now - mtimeMs);
    if (name.startsWith(TEMPORARY_PREFIX) && age > TEMPORARY_AGE_MS) await removeTree(path);
    if (!isModelHash(name) || keep.has(name) || age < graceMs) continue;
    // Under another name first: a model that is only partly removed must not look like one.
    const condemned = join(modelsDirectory(stateDir), `${TEMPORARY_PREFIX}removed-${name}`);
    await removeTree(condemned);
    await rename(path, condemned).catch((thrown: unknown) => {
      throw stateUnavailable(path, thrown);
    });
    await removeTree(condemned);
    removed.push(name);
  }
  return removed;
}

/** Whether the process that made a temporary directory (`.tmp-<pid>-…`) is alive. */
function isBeingWritten(name: string): boolean {
  const pid = Number(name.slice(TEMPORARY_PREFIX.length).split('-')[0]);
  if (!Number.isSafeInteger(pid) || pid <= 0) return false;
  try {
    return process.kill(pid, 0);
  } catch (thrown) {
    return errnoOf(thrown) === 'EPERM';
  }
}

/** The hashes of the models in the store; empty where there is no store. */
export async function storedModels(stateDir: string): Promise<string[]> {
  return (await storedNames(stateDir)).filter(isModelHash);
}

async function storedNames(stateDir: string): Promise<string[]> {
  return readdir(modelsDirectory(stateDir)).catch(() => []);
}

async function removeTree(path: string): Promise<void> {
  try {
    await rm(path, { recursive: true, force: true });
  } catch (thrown) {
    throw stateUnavailable(path, thrown);
  }
}
