import { execFile } from 'node:child_process';
import { reasonOf } from '../../lib/errors.ts';
import { packageRoot } from '../../lib/paths.ts';
import { type Check, failure, ok, warning } from './check.ts';

const TIMEOUT_MS = 20_000;

/** How a script ended that loads a native module in a process of its own. */
export type LoadResult =
  | { readonly loaded: true; readonly output: string }
  | { readonly loaded: false; readonly reason: string };

/** Checks that sharp can decode images; without it everything but images works. */
export const checkSharp: Check = async () => {
  const result = await tryInChild(
    `const { default: sharp } = await import('sharp');
     await sharp({ create: { width: 2, height: 2, channels: 3, background: 'red' } }).jpeg().toBuffer();
     console.log(sharp.versions.sharp);`,
  );
  if (result.loaded) return [ok('sharp', result.output)];
  const advice =
    'Images cannot be decoded, tensors can be served. Run `npm install --include=optional sharp` there.';
  return [warning('sharp', result.reason, advice)];
};

/** Checks that SQLite works. */
export const checkSqlite: Check = async () => {
  const result = await tryInChild(
    `const { default: Database } = await import('better-sqlite3');
     console.log(new Database(':memory:').prepare('select sqlite_version()').pluck().get());`,
  );
  if (result.loaded) return [ok('sqlite', result.output)];
  const advice =
    'Run `npm rebuild better-sqlite3` in the installation; it needs a C++ compiler where no prebuilt fits.';
  return [failure('sqlite', result.reason, advice)];
};

/** Runs a script in a Node of its own, which may die of what it loads; the reason names the signal or the error. */
export function tryInChild(script: string): Promise<LoadResult> {
  const args = ['--input-type=module', '--eval', script];
  const options = { cwd: packageRoot, timeout: TIMEOUT_MS, maxBuffer: 64 * 1024 };
  return new Promise((resolve) => {
    execFile(process.execPath, args, options, (error, stdout, stderr) => {
      if (error === null) resolve({ loaded: true, output: stdout.trim() });
      else if (error.killed) resolve({ loaded: false, reason: `no answer within ${TIMEOUT_MS} ms` });
      else if (error.signal) resolve({ loaded: false, reason: `ended by ${error.signal}` });
      else resolve({ loaded: false, reason: errorLine(stderr) ?? reasonOf(error) });
    });
  });
}

/** The line of a stack trace that says what is wrong. */
function errorLine(stderr: string): string | undefined {
  return stderr
    .split('\n')
    .find((line) => /^\w*Error\b/.test(line))
    ?.slice(0, 300);
}
