import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { configJsonSchema } from '../src/config/json-schema.ts';
import { configurationPage } from './pages/configuration.ts';
import { errorsPage } from './pages/errors.ts';
import { metricsPage } from './pages/metrics.ts';

/** A file made from what the code says. */
export interface GeneratedFile {
  /** Relative to the root of the repository. */
  readonly path: string;
  readonly render: () => string;
}

/** Every generated file. */
export const GENERATED_FILES: readonly GeneratedFile[] = [
  { path: 'config/selvage.schema.json', render: () => `${JSON.stringify(configJsonSchema(), null, 2)}\n` },
  { path: 'docs/configuration.md', render: configurationPage },
  { path: 'docs/errors.md', render: errorsPage },
  { path: 'docs/metrics.md', render: metricsPage },
];

/** Writes those files below `root` that are not current, and returns their paths. */
export function writeStale(root: string, files: readonly GeneratedFile[] = GENERATED_FILES): string[] {
  return staleFiles(root, files).map(({ path, render }) => {
    const target = join(root, path);
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, render());
    return path;
  });
}

/** The files below `root` that are missing or differ from what would be written. */
export function staleFiles(root: string, files: readonly GeneratedFile[] = GENERATED_FILES): GeneratedFile[] {
  return files.filter(({ path, render }) => readIfPresent(join(root, path)) !== render());
}

function readIfPresent(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
