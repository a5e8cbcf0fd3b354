import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { deepFreeze } from '../config/freeze.ts';
import type { LoadedConfig } from '../config/load.ts';
import { writeFileAtomic } from '../lib/atomic-file.ts';
import { packageVersion } from '../lib/version.ts';

/**
 * The configuration as it was loaded last, so that a start on unchanged files needs neither the YAML nor the schema
 * library, which take half of the time of a start. It lies in the state directory, with everything it depends on. A
 * configuration with secrets is never kept.
 */
const FILE_NAME = 'config.cache.json';

/** `stateDir` at the beginning of a line, as YAML or in the form of JSON. */
const STATE_DIR = /^[\s{]*["']?stateDir["']?\s*:\s*["']?([^"'#,\s]+)/m;

/** Where a configuration that does not name `stateDir` keeps its state: the default of the schema. */
const DEFAULT_STATE_DIR = '/var/lib/selvage';

/** A configuration with what its files said when it was loaded; undefined where they changed meanwhile. */
export interface KeyedConfig extends LoadedConfig {
  readonly key: string | undefined;
}

/** The configuration at `path` as it was loaded last; undefined where anything changed since, or cannot be read. */
export function readCachedConfig(path: string): KeyedConfig | undefined {
  try {
    const texts = readSources(path);
    const cached = JSON.parse(readFileSync(join(guessStateDir(texts), FILE_NAME), 'utf8')) as KeyedConfig;
    return cached.key === keyOf(texts) ? deepFreeze(cached) : undefined;
  } catch {
    return undefined;
  }
}

/** Keeps a loaded configuration for the next start, unless it holds secrets. Throws where it cannot be written. */
export async function writeCachedConfig(loaded: KeyedConfig): Promise<void> {
  if (loaded.secrets.length > 0 || loaded.key === undefined) return;
  if (readCachedConfig(loaded.path)?.key === loaded.key) return; // Flash wears out.
  const path = join(loaded.config.stateDir, FILE_NAME);
  await writeFileAtomic(path, [Buffer.from(JSON.stringify(loaded))], { mode: 0o600 });
}

/** Everything a configuration without secrets depends on, as a text; undefined where it cannot be read. */
export function configKey(path: string): string | undefined {
  try {
    return keyOf(readSources(path));
  } catch {
    return undefined;
  }
}

/** The texts of the main file and of `conf.d`, by absolute path, in the order they are merged. */
function readSources(path: string): Map<string, string> {
  const directory = join(dirname(path), 'conf.d');
  const names = existsSync(directory) ? readdirSync(directory).sort() : [];
  const parts = names.filter((name) => name.endsWith('.yaml') && !name.startsWith('.'));
  const files = [path, ...parts.map((name) => join(directory, name))];
  return new Map(files.map((file) => [file, readFileSync(file, 'latin1')]));
}

function keyOf(texts: ReadonlyMap<string, string>): string {
  return JSON.stringify([packageVersion, ...texts]);
}

/** Where the cache may lie. A wrong guess finds no cache, or one whose key does not fit. */
function guessStateDir(texts: ReadonlyMap<string, string>): string {
  let guess = DEFAULT_STATE_DIR;
  for (const [file, text] of texts) {
    const value = STATE_DIR.exec(text)?.[1];
    if (value !== undefined) guess = resolve(dirname(file), value);
  }
  return guess;
}
