import { readdir } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { errnoOf, SelvageError } from '../lib/errors.ts';
import { parseYaml } from './parse-yaml.ts';
import type { Problem } from './problems.ts';
import { readBounded } from './read-file.ts';
import { mergeSources, type SourceFile, type SourceNode } from './source.ts';
import { MAX_VALUES } from './source-from-document.ts';

const MAX_FILE_BYTES = 1024 * 1024;
const MAX_FILES = 256;

/** The files of a configuration, merged. */
export interface Sources {
  /** Undefined where not one file could be read. */
  readonly root: SourceNode | undefined;
  /** Absolute paths, the main file first, then those of `conf.d` in the order they were merged. */
  readonly files: readonly string[];
  readonly problems: readonly Problem[];
  /** Whether `root` holds all that the files say, so that it is worth while to check it. */
  readonly complete: boolean;
}

/**
 * Reads the main file and, unless it stands `alone`, `conf.d/*.yaml` beside it, in the order of their names (by code
 * unit), and merges them. Throws CONFIG_NOT_FOUND where there is no main file.
 */
export async function readSources(path: string, { alone = false } = {}): Promise<Sources> {
  const main = resolve(path);
  const read = await readBounded(main, MAX_FILE_BYTES);
  if (!('bytes' in read) && read.missing) throw SelvageError.of('CONFIG_NOT_FOUND', { path });

  const folderPath = join(dirname(main), 'conf.d');
  const folder = alone ? { names: [] } : await listFolder(folderPath);
  const files = [main, ...folder.names.map((name) => join(folderPath, name))];
  const shownFolder = join(dirname(path), 'conf.d');
  const sources = [path, ...folder.names.map((name) => join(shownFolder, name))].map(
    (shown, order): SourceFile => ({ order, shown, directory: order === 0 ? dirname(main) : folderPath }),
  );

  const problems: Problem[] = [];
  let complete = true;
  const leaveOut = (at: SourceFile, text: string): void => {
    problems.push({ at, path: [], text });
    complete = false;
  };
  if (folder.problem !== undefined) {
    leaveOut({ order: 1, shown: shownFolder, directory: folderPath }, folder.problem);
  }
  let root: SourceNode | undefined;
  for (const file of sources) {
    const content = file.order === 0 ? read : await readBounded(files[file.order] ?? '', MAX_FILE_BYTES);
    if (!('bytes' in content)) {
      leaveOut(file, content.problem);
      continue;
    }
    const parsed = parseYaml(content.bytes, file);
    problems.push(...parsed.problems);
    complete &&= parsed.complete;
    root = root === undefined ? parsed.root : mergeSources(root, parsed.root);
    if (root.size > MAX_VALUES) {
      leaveOut(file, `expected at most ${MAX_VALUES} values in all files`);
      break;
    }
  }
  return { root, files, problems, complete };
}

async function listFolder(folder: string): Promise<{ names: string[]; problem?: string }> {
  try {
    const names = (await readdir(folder))
      .filter((name) => name.endsWith('.yaml') && !name.startsWith('.'))
      .sort();
    if (names.length < MAX_FILES) return { names };
    return { names: [], problem: `expected fewer than ${MAX_FILES} files, found ${names.length}` };
  } catch (thrown) {
    const errno = errnoOf(thrown);
    if (errno === 'ENOENT') return { names: [] };
    const problem = errno === 'ENOTDIR' ? 'expected a directory, found a file' : `cannot be read (${errno})`;
    return { names: [], problem };
  }
}
