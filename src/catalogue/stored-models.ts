import { readdir, rename, rm, stat } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { errnoOf, SelvageError } from '../lib/errors.ts';
import type { ExternalFile } from '../store/models.ts';
import { stateUnavailable } from '../store/sqlite-fault.ts';
import { hashContent, modelHash } from './model-hash.ts';
import {
  isModelHash,
  MODEL_FILE_NAME,
  modelDirectory,
  modelsDirectory,
  TEMPORARY_PREFIX,
} from './model-path.ts';
import { readUnchanged } from './source-file.ts';

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

/** Result of `verifyModelFile`. */
export type Verification = { readonly ok: true } | { readonly ok: false; readonly problem: string };

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

/**
 * Reads a stored model from end to end and compares its hash with its name: finds bits that the disk has lost. Long
 * work: run it in a job. Throws CANCELLED.
 */
export async function verifyModelFile(
  stateDir: string,
  hash: string,
  signal?: AbortSignal,
): Promise<Verification> {
  const directory = modelDirectory(stateDir, hash);
  try {
    const found = await hashDirectory(directory, signal);
    if (found === hash) return { ok: true };
    return { ok: false, problem: `${directory}: the content has changed since the import (now ${found})` };
  } catch (thrown) {
    if (!(thrown instanceof SelvageError) || thrown.code === 'CANCELLED') throw thrown;
    return { ok: false, problem: thrown.message };
  }
}

async function hashDirectory(directory: string, signal: AbortSignal | undefined): Promise<string> {
  let modelFileHash: string | undefined;
  const externalFiles: ExternalFile[] = [];
  for (const path of await filesBelow(directory)) {
    const read = await readUnchanged(path, (handle) => hashContent(handle, { path, signal }));
    if (read === 'changed') return 'a file that changes while it is read';
    const name = relative(directory, path);
    if (name === MODEL_FILE_NAME) modelFileHash = read.result.hash;
    else externalFiles.push({ name, ...read.result });
  }
  return modelFileHash === undefined ? 'no model file' : modelHash(modelFileHash, externalFiles);
}

async function filesBelow(directory: string): Promise<string[]> {
  const files: string[] = [];
  for (const name of await readdir(directory, { recursive: true }).catch(() => [])) {
    const path = join(directory, name);
    if (!(await stat(path)).isDirectory()) files.push(path);
  }
  return files;
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
