import { errnoInWords } from '../lib/errno.ts';
import { errnoOf, SelvageError } from '../lib/errors.ts';

/** Result codes of SQLite (https://www.sqlite.org/rescode.html) that a disk or a person causes, in words. */
const WORDS: ReadonlyArray<readonly [prefix: string, words: string]> = [
  ['SQLITE_FULL', 'no space left on the disk'],
  ['SQLITE_IOERR_SHMSIZE', 'no space left on the disk'],
  ['SQLITE_IOERR', 'the disk reported an input/output error'],
  ['SQLITE_READONLY', 'the file or its directory is read-only'],
  ['SQLITE_CANTOPEN', 'the file cannot be opened or created'],
  ['SQLITE_PERM', 'permission denied'],
  ['SQLITE_BUSY', 'another process holds it locked'],
  ['SQLITE_CORRUPT', 'the file is damaged'],
  ['SQLITE_NOTADB', 'the file is not a database'],
];

/** Whether an error of SQLite or the file system says that the disk (or the quota on it) is full. */
export function isDiskFull(thrown: unknown): boolean {
  const code = errnoOf(thrown) ?? '';
  return ['SQLITE_FULL', 'SQLITE_IOERR_SHMSIZE', 'ENOSPC', 'EDQUOT'].includes(code);
}

/** Whether an error of SQLite says that the file's content is damaged or is no database at all. */
export function isCorruption(thrown: unknown): boolean {
  const code = errnoOf(thrown) ?? '';
  return code.startsWith('SQLITE_CORRUPT') || code === 'SQLITE_NOTADB';
}

/** Whether another process or connection holds the lock that was asked for. */
export function isBusy(thrown: unknown): boolean {
  return (errnoOf(thrown) ?? '').startsWith('SQLITE_BUSY');
}

/** STATE_UNAVAILABLE for a fault of `path`, with the fault in words and its code. */
export function stateUnavailable(path: string, thrown: unknown): SelvageError {
  if (thrown instanceof SelvageError) return thrown;
  const code = errnoOf(thrown) ?? '';
  const words = WORDS.find(([prefix]) => code.startsWith(prefix))?.[1];
  const problem = words === undefined ? errnoInWords(thrown) : `${words} (${code})`;
  return SelvageError.of('STATE_UNAVAILABLE', { path, problem }, thrown);
}
