/**
 * Writes the files that are made from the code (see `GENERATED_FILES`); with `--check` writes nothing, names those
 * that are not current and exits with 1.
 */
import { packageRoot } from '../src/lib/paths.ts';
import { staleFiles, writeStale } from './generated-files.ts';

if (process.argv.includes('--check')) {
  const stale = staleFiles(packageRoot);
  for (const { path } of stale) {
    process.stderr.write(`${path} is not current: run \`npm run generate\`\n`);
  }
  process.exitCode = stale.length === 0 ? 0 : 1;
} else {
  for (const path of writeStale(packageRoot)) process.stdout.write(`wrote ${path}\n`);
}
