import { constants } from 'node:fs';
import {
  chmod,
  copyFile,
  type FileHandle,
  mkdir,
  mkdtemp,
  open,
  rename,
  rm,
  stat,
  statfs,
} from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fsyncDirectory } from '../lib/durable.ts';
import { errnoOf, SelvageError } from '../lib/errors.ts';
import type { FileIdentity } from '../lib/file-identity.ts';
import type { ExternalFile } from '../store/models.ts';
import { stateUnavailable } from '../store/sqlite-fault.ts';
import { hashContent, modelHash } from './model-hash.ts';
import { MODEL_FILE_NAME, modelDirectory, modelsDirectory, TEMPORARY_PREFIX } from './model-path.ts';
import { readUnchanged, type SourceFile, sourceFiles, totalSize } from './source-file.ts';

/** Left free on the disk beside an imported model, for the databases. */
const HEADROOM_BYTES = 8 * 1024 * 1024;

/** A model to import. Plain data but for the last two, as it is asked of a job process. */
export interface ImportRequest {
  /** Name of the model in the configuration, for messages. */
  readonly model: string;
  /** Absolute path of the ONNX file. */
  readonly source: string;
  readonly stateDir: string;
  /** Names of its external data files, relative to its folder, as the model gives them. */
  readonly externalFiles?: readonly string[] | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Told how far the import is, 0 to 1, for every MiB. */
  readonly onProgress?: ((fraction: number) => void) | undefined;
}

/** A model in the store; plain data. */
export interface ImportedModel {
  /** SHA-256 that names the model; see `modelHash`. */
  readonly hash: string;
  /** The model file in the store. */
  readonly path: string;
  /** Model file and external data together. */
  readonly sizeBytes: number;
  readonly externalFiles: readonly ExternalFile[];
  /** The source files as they were while they were read, for `SourcesTable.remember`. */
  readonly files: readonly FileIdentity[];
  /** Whether files were written; false where the store had this content already. */
  readonly copied: boolean;
}

/** A file of the model with its content's hash. */
interface HashedFile extends ExternalFile {
  readonly path: string;
  readonly identity: FileIdentity;
}

/**
 * Puts a model into the store `<stateDir>/models/<hash>/`, where nothing is ever changed: all of it is there after a
 * power cut at any moment, or nothing. Content that the store has already is not written again. Long work with
 * files of 100 MB: run it in a job. Throws MODEL_FILE_MISSING, MODEL_FILE_INVALID (also for a source that changes
 * while it is read, at the second time), STATE_UNAVAILABLE and CANCELLED.
 */
export async function importModelFile(request: ImportRequest): Promise<ImportedModel> {
  for (let attempt = 1; attempt <= 2; attempt += 1) {
    const imported = await importOnce(request);
    if (imported !== 'changed') return imported;
  }
  const problem = 'changed while it was read; write it under another name and rename it when it is complete';
  throw SelvageError.of('MODEL_FILE_INVALID', { path: request.source, problem });
}

async function importOnce(request: ImportRequest): Promise<ImportedModel | 'changed'> {
  const sources = await sourceFiles(request.model, request.source, request.externalFiles ?? []);
  const progress = progressOf(request, 2 * (await totalSize(sources)));
  const files = await hashSources(sources, request, progress);
  if (files === 'changed') return 'changed';

  const [modelFile, ...external] = files;
  if (modelFile === undefined || modelFile.sizeBytes === 0) {
    throw SelvageError.of('MODEL_FILE_INVALID', { path: request.source, problem: 'is empty (0 bytes)' });
  }
  const externalFiles = external.map(({ name, sizeBytes, hash }) => ({ name, sizeBytes, hash }));
  const hash = modelHash(modelFile.hash, externalFiles);
  const directory = modelDirectory(request.stateDir, hash);
  const copied = !(await isComplete(directory, files));
  if (copied && (await copyIn(request, files, directory, progress)) === 'changed') return 'changed';
  request.onProgress?.(1);
  return {
    hash,
    path: join(directory, MODEL_FILE_NAME),
    sizeBytes: files.reduce((sum, file) => sum + file.sizeBytes, 0),
    externalFiles,
    files: files.map((file) => file.identity),
    copied,
  };
}

async function hashSources(
  sources: readonly SourceFile[],
  { signal }: ImportRequest,
  onBytes: (count: number) => void,
): Promise<HashedFile[] | 'changed'> {
  const files: HashedFile[] = [];
  for (const { path, name } of sources) {
    const read = await readUnchanged(path, (handle) => hashContent(handle, { path, signal, onBytes }));
    if (read === 'changed') return 'changed';
    files.push({ path, name, identity: read.identity, ...read.result });
  }
  return files;
}

/** Whether the store has every file in full length (`verifyModelFile` reads them). */
async function isComplete(directory: string, files: readonly HashedFile[]): Promise<boolean> {
  for (const { name, sizeBytes } of files) {
    const found = await stat(join(directory, name)).catch(() => undefined);
    if (found?.size !== sizeBytes) return false;
  }
  return true;
}

async function copyIn(
  request: ImportRequest,
  files: readonly HashedFile[],
  directory: string,
  onBytes: (count: number) => void,
): Promise<'copied' | 'changed'> {
  const models = modelsDirectory(request.stateDir);
  let temporary: string | undefined;
  try {
    await ensureDirectory(models);
    await ensureSpace(request, files);
    temporary = await mkdtemp(join(models, `${TEMPORARY_PREFIX}${process.pid}-`));
    for (const file of files) {
      const target = join(temporary, file.name);
      await mkdir(dirname(target), { recursive: true, mode: 0o750 });
      if ((await copyFileIn(file, target, request.signal, onBytes)) !== file.hash) return 'changed';
    }
    await syncDirectories(temporary, files);
    await moveIntoPlace(temporary, directory, files);
    return 'copied';
  } catch (thrown) {
    throw stateUnavailable(models, thrown);
  } finally {
    if (temporary !== undefined) await rm(temporary, { recursive: true, force: true }).catch(() => undefined);
  }
}

/** Not `recursive`: Node then reports ENOENT for a read-only file system. */
async function ensureDirectory(path: string): Promise<void> {
  await mkdir(path, { mode: 0o750 }).catch((thrown: unknown) => {
    if (errnoOf(thrown) !== 'EEXIST') throw thrown;
  });
}

async function ensureSpace({ model, stateDir }: ImportRequest, files: readonly HashedFile[]): Promise<void> {
  const { bavail, bsize } = await statfs(stateDir);
  const free = bavail * bsize;
  const needed = files.reduce((sum, file) => sum + file.sizeBytes, HEADROOM_BYTES);
  if (free >= needed) return;
  const problem = `model '${model}' needs ${inMiB(needed)} MiB of disk, ${inMiB(free)} MiB are free`;
  throw SelvageError.of('STATE_UNAVAILABLE', { path: stateDir, problem });
}

/** Copies a file, shares its blocks where the file system can, and returns the hash of what is in the copy. */
async function copyFileIn(
  { path }: HashedFile,
  target: string,
  signal: AbortSignal | undefined,
  onBytes: (count: number) => void,
): Promise<string> {
  const cloned = await copyFile(path, target, constants.COPYFILE_FICLONE_FORCE).then(
    () => true,
    () => false,
  );
  const copy = await open(target, cloned ? 'r' : 'wx', 0o640);
  try {
    const { hash } = cloned
      ? await hashContent(copy, { path, signal, onBytes })
      : await streamInto(copy, path, signal, onBytes);
    await copy.chmod(0o440);
    await copy.sync();
    return hash;
  } finally {
    await copy.close();
  }
}

async function streamInto(
  target: FileHandle,
  path: string,
  signal: AbortSignal | undefined,
  onBytes: (count: number) => void,
): Promise<{ hash: string }> {
  const read = await readUnchanged(path, (handle) => hashContent(handle, { path, target, signal, onBytes }));
  return read === 'changed' ? { hash: '' } : read.result;
}

/** Every directory that holds a file, deepest first, so that a name is on the disk before what leads to it. */
async function syncDirectories(root: string, files: readonly HashedFile[]): Promise<void> {
  const folders = new Set<string>();
  for (const { name } of files) {
    for (let folder = dirname(name); ; folder = dirname(folder)) {
      folders.add(folder);
      if (folder === '.') break;
    }
  }
  for (const folder of [...folders].sort((one, other) => other.length - one.length)) {
    await fsyncDirectory(join(root, folder));
  }
  await chmod(root, 0o750);
}

async function moveIntoPlace(
  temporary: string,
  directory: string,
  files: readonly HashedFile[],
): Promise<void> {
  try {
    await rename(temporary, directory);
  } catch (thrown) {
    if (!['ENOTEMPTY', 'EEXIST'].includes(errnoOf(thrown) ?? '')) throw thrown;
    // Either another import of the same content was faster, or what is there is damaged.
    if (await isComplete(directory, files)) return;
    await rename(directory, `${temporary}-damaged`);
    await rename(temporary, directory);
    await rm(`${temporary}-damaged`, { recursive: true, force: true });
  }
  await fsyncDirectory(dirname(directory));
}

function progressOf({ onProgress }: ImportRequest, totalBytes: number): (count: number) => void {
  let done = 0;
  return (count) => {
    done += count;
    onProgress?.(Math.min(done / Math.max(totalBytes, 1), 1));
  };
}

function inMiB(bytes: number): string {
  return (bytes / (1024 * 1024)).toFixed(1);
}
