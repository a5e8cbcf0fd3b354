import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type LoadedConfig, type LoadOptions, loadConfig } from '../src/config/load.ts';
import { SelvageError } from '../src/lib/errors.ts';

/** Files by their path below a directory. */
export type Files = Readonly<Record<string, string | Uint8Array>>;

/** Runs `use` with a temporary directory that holds these files. */
export async function withFiles<Result>(
  files: Files,
  use: (directory: string) => Promise<Result>,
): Promise<Result> {
  const directory = mkdtempSync(join(tmpdir(), 'selvage-config-'));
  try {
    for (const [name, content] of Object.entries(files)) {
      mkdirSync(dirname(join(directory, name)), { recursive: true });
      writeFileSync(join(directory, name), content);
    }
    return await use(directory);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Loads `selvage.yaml` among these files. Secrets come from `options` only. */
export function loadFiles(files: Files, options: LoadOptions = {}): Promise<LoadedConfig> {
  return withFiles(files, (directory) =>
    loadConfig(join(directory, 'selvage.yaml'), { env: {}, ...options }),
  );
}

/** The error that loading `selvage.yaml` among these files ends with; its paths are relative to their directory. */
export function loadError(files: Files, options: LoadOptions = {}): Promise<SelvageError> {
  return withFiles(files, async (directory) => {
    const error = await loadConfig(join(directory, 'selvage.yaml'), { env: {}, ...options }).then(
      () => assert.fail('expected an error'),
      (thrown: unknown) => thrown,
    );
    assert.ok(error instanceof SelvageError, String(error));
    error.message = error.message.replaceAll(`${directory}/`, '');
    return error;
  });
}
