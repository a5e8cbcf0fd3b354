import { readdir, stat } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { SelvageError } from '../lib/errors.ts';
import type { ExternalFile } from '../store/models.ts';
import { hashContent, modelHash } from './model-hash.ts';
import { MODEL_FILE_NAME, modelDirectory } from './model-path.ts';
import { readUnchanged } from './source-file.ts';

/** Result of `verifyModelFile`. */
export type Verification = { readonly ok: true } | { readonly ok: false; readonly problem: string };

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
