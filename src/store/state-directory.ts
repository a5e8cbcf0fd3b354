import { accessSync, constants, existsSync, mkdirSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { SelvageError } from '../lib/errors.ts';
import { stateUnavailable } from './sqlite-fault.ts';

/** Creates the state directory where it is missing (mode 0750) and throws STATE_UNAVAILABLE unless it is writable. */
export function prepareStateDirectory(stateDir: string): void {
  try {
    createDirectory(resolve(stateDir));
    if (!statSync(stateDir).isDirectory()) {
      throw SelvageError.of('STATE_UNAVAILABLE', { path: stateDir, problem: 'is not a directory' });
    }
    accessSync(stateDir, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (thrown) {
    throw stateUnavailable(stateDir, thrown);
  }
}

/** One by one: Node's `recursive` reports ENOENT for a read-only file system. */
function createDirectory(path: string): void {
  if (existsSync(path)) return;
  createDirectory(dirname(path));
  mkdirSync(path, { mode: 0o750 });
}
