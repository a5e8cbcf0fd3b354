import { constants } from 'node:fs';
import { type FileHandle, open, realpath, stat } from 'node:fs/promises';
import { dirname, join, sep } from 'node:path';
import { errnoInWords } from '../lib/errno.ts';
import { errnoOf, SelvageError } from '../lib/errors.ts';
import { type FileIdentity, fileIdentity, identityKey, identityOfStats } from '../lib/file-identity.ts';
import { externalNameProblem, MODEL_FILE_NAME, storedName } from './model-path.ts';

/** More external data files than this in one model are refused. */
const MAX_EXTERNAL_FILES = 1000;

/** One file of a model before it is imported. */
export interface SourceFile {
  readonly path: string;
  /** Its path below the model's directory in the store. */
  readonly name: string;
}

/**
 * The files of a model: the model file first, then its external data. Throws MODEL_FILE_INVALID for a name that
 * leaves the model's folder, also through a symbolic link, and MODEL_FILE_MISSING for a file that is not there.
 */
export async function sourceFiles(
  model: string,
  source: string,
  externalNames: readonly string[],
): Promise<SourceFile[]> {
  if (externalNames.length > MAX_EXTERNAL_FILES) {
    const problem = `has ${externalNames.length} external data files; at most ${MAX_EXTERNAL_FILES} are accepted`;
    throw SelvageError.of('MODEL_FILE_INVALID', { path: source, problem });
  }
  await existing(model, source);
  const folder = await existing(model, dirname(source));
  const files = new Map<string, SourceFile>();
  for (const name of externalNames) {
    const problem = externalNameProblem(name);
    if (problem !== undefined) throw externalRefused(source, name, problem);
    const path = join(dirname(source), name);
    if (!(await existing(model, path)).startsWith(folder.endsWith(sep) ? folder : folder + sep)) {
      throw externalRefused(source, name, 'is a link that leaves the folder of the model');
    }
    files.set(storedName(name), { path, name: storedName(name) });
  }
  return [{ path: source, name: MODEL_FILE_NAME }, ...files.values()];
}

/**
 * Runs `read` on an opened source file. Resolves to what it returned with the file's identity, or to `changed` where
 * the file was not the same before and after. Throws MODEL_FILE_INVALID for what is not a regular file.
 */
export async function readUnchanged<Result>(
  path: string,
  read: (handle: FileHandle) => Promise<Result>,
): Promise<{ readonly result: Result; readonly identity: FileIdentity } | 'changed'> {
  const handle = await openSource(path);
  try {
    const before = await handle.stat({ bigint: true });
    if (!before.isFile()) throw invalid(path, 'is not a regular file');
    const result = await read(handle);
    const identity = identityOfStats(path, before);
    const after = identityOfStats(path, await handle.stat({ bigint: true }));
    // Looked up by name too: it may have been replaced by another file.
    const named = await fileIdentity(path);
    const same = [after, named].every((one) => one && identityKey(one) === identityKey(identity));
    return same ? { result, identity } : 'changed';
  } finally {
    await handle.close();
  }
}

/** The sizes of the source files together, in bytes. */
export async function totalSize(files: readonly SourceFile[]): Promise<number> {
  let total = 0;
  for (const { path } of files)
    total += await stat(path).then(
      ({ size }) => size,
      () => 0,
    );
  return total;
}

async function openSource(path: string): Promise<FileHandle> {
  try {
    // Without O_NONBLOCK, opening a FIFO would wait for a writer for ever.
    return await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (thrown) {
    throw invalid(path, errnoInWords(thrown), thrown);
  }
}

async function existing(model: string, path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (thrown) {
    if (errnoOf(thrown) === 'ENOENT') throw SelvageError.of('MODEL_FILE_MISSING', { model, path }, thrown);
    throw invalid(path, errnoInWords(thrown), thrown);
  }
}

function externalRefused(source: string, name: string, problem: string): SelvageError {
  return invalid(source, `external data file ${JSON.stringify(name.slice(0, 200))} ${problem}`);
}

function invalid(path: string, problem: string, cause?: unknown): SelvageError {
  return SelvageError.of('MODEL_FILE_INVALID', { path, problem }, cause);
}
