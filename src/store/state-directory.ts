import { accessSync, constants, mkdirSync, statSync } from 'node:fs';
import { SelvageError } from '../lib/errors.ts';
import { stateUnavailable } from './sqlite-fault.ts';

/** Creates the state directory where it is missing (mode 0750) and throws STATE_UNAVAILABLE unless it is writable. */
export function prepareStateDirectory(stateDir: string): void {
  try {
    mkdirSync(stateDir, { recursive: true, mode: 0o750 });
    accessSync(stateDir, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (thrown) {
    throw stateUnavailable(stateDir, thrown);
  }
  if (!statSync(stateDir).isDirectory()) {
    throw SelvageError.of('STATE_UNAVAILABLE', { path: stateDir, problem: 'is not a directory' });
  }
}
