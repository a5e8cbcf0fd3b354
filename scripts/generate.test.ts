import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { ERROR_TABLE } from '../src/lib/errors.ts';
import { packageRoot } from '../src/lib/paths.ts';
import { withFiles } from '../test/config-files.ts';
import { GENERATED_FILES, staleFiles, writeStale } from './generated-files.ts';

describe('generated files', () => {
  it('are current (run `npm run generate`)', () => {
    assert.deepEqual(
      staleFiles(packageRoot).map((file) => file.path),
      [],
    );
  });

  it('are written where they are missing or stale, and left alone where they are current', async () => {
    await withFiles({}, async (root) => {
      const all = GENERATED_FILES.map((file) => file.path);
      assert.deepEqual(writeStale(root), all);
      assert.deepEqual(writeStale(root), []);
      writeFileSync(join(root, 'docs/errors.md'), 'old\n');
      assert.deepEqual(
        staleFiles(root).map((file) => file.path),
        ['docs/errors.md'],
      );
      assert.deepEqual(writeStale(root), ['docs/errors.md']);
      assert.deepEqual(staleFiles(root), []);
    });
  });

  it('hold every error', () => {
    const page = readFileSync(join(packageRoot, 'docs/errors.md'), 'utf8');
    const codes = [...page.matchAll(/^\| `([A-Z_]+)` +\|/gm)].map((match) => match[1]);
    assert.deepEqual(codes, Object.keys(ERROR_TABLE));
  });

  it('hold every setting, with no keyword of ours in the JSON schema', () => {
    const schema: unknown = JSON.parse(readFileSync(join(packageRoot, 'config/selvage.schema.json'), 'utf8'));
    const page = readFileSync(join(packageRoot, 'docs/configuration.md'), 'utf8');
    const names = settingNames(schema);
    assert.ok(names.length > 40, `only ${names.length} settings`);
    for (const name of names) {
      assert.ok(
        new RegExp(`^\\| \`${name}\` +\\||^### \`[^\`]*\\b${name}\\b`, 'm').test(page),
        `${name} is missing`,
      );
    }
    assert.doesNotMatch(JSON.stringify(schema), /"x-/);
  });
});

function settingNames(schema: unknown): string[] {
  if (Array.isArray(schema)) return schema.flatMap(settingNames);
  if (typeof schema !== 'object' || schema === null) return [];
  return Object.entries(schema).flatMap(([key, value]) => {
    if (key !== 'properties') return settingNames(value);
    return Object.entries(value as object).flatMap(([name, property]) => [name, ...settingNames(property)]);
  });
}
