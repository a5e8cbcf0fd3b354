/**
 * Runs the compiled tests with Node's own test runner: `run-tests.js unit [name…]` those beside the code and in
 * `test/`, `run-tests.js e2e [name…]` those in `test/e2e/`. Node 20 takes no globs, so files are listed here.
 * A name keeps only the files whose path contains it.
 */
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const dist = fileURLToPath(new URL('../', import.meta.url));
const [suite, ...names] = process.argv.slice(2);

const files = ['src', 'test', 'bench', 'scripts']
  .flatMap((folder) => testFiles(join(dist, folder)))
  .filter((file) => file.includes('/test/e2e/') === (suite === 'e2e'))
  .filter((file) => names.length === 0 || names.some((name) => relative(dist, file).includes(name)))
  .sort();

if (files.length === 0) {
  process.stderr.write(`no test files match ${[suite, ...names].join(' ')}\n`);
  process.exit(1);
}
const result = spawnSync(
  process.execPath,
  ['--enable-source-maps', '--test', '--test-concurrency=2', '--test-reporter=spec', ...files],
  { stdio: 'inherit' },
);
process.exit(result.status ?? 1);

function testFiles(folder: string): string[] {
  try {
    return readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.test.js'))
      .map((name) => join(folder, name));
  } catch {
    return [];
  }
}
