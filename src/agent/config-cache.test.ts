import assert from 'node:assert/strict';
import { statSync, utimesSync, writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { temporaryDirectory } from '../../test/temporary-directory.ts';
import { readCachedConfig, writeCachedConfig } from './config-cache.ts';
import { loadConfigInChild } from './load-config.ts';

async function configured(t: TestContext, text: string): Promise<string> {
  const directory = temporaryDirectory(t);
  await mkdir(join(directory, 'state'));
  const path = join(directory, 'selvage.yaml');
  writeFileSync(path, text);
  return path;
}

const TEXT = 'stateDir: state\nlog: { level: warn }\n';

describe('the kept configuration', () => {
  it('is the loaded one, as long as no file changes', async (t) => {
    const path = await configured(t, TEXT);
    assert.equal(readCachedConfig(path), undefined);
    const loaded = await loadConfigInChild(path);
    await writeCachedConfig(loaded);
    assert.deepEqual(readCachedConfig(path), loaded);
    await mkdir(join(path, '../conf.d'));
    assert.deepEqual(readCachedConfig(path), loaded);
    writeFileSync(join(path, '../conf.d/10.yaml'), 'log: { level: error }\n');
    assert.equal(readCachedConfig(path), undefined);
  });

  it('is found in a configuration in the form of JSON', async (t) => {
    const path = await configured(t, '{\n  "stateDir": "state",\n  "log": { "level": "warn" }\n}\n');
    await writeCachedConfig(await loadConfigInChild(path));
    assert.notEqual(readCachedConfig(path), undefined);
  });

  it('is not the one from before a change of the main file', async (t) => {
    const path = await configured(t, TEXT);
    await writeCachedConfig(await loadConfigInChild(path));
    writeFileSync(path, TEXT.replace('warn', 'info'));
    assert.equal(readCachedConfig(path), undefined);
  });

  it('is not kept where it holds a secret', async (t) => {
    const path = await configured(t, TEXT.replace('state\n', '"$' + '{env:HOME}/x"\n'));
    const loaded = await loadConfigInChild(path);
    assert.ok(loaded.secrets.length > 0);
    await writeCachedConfig({ ...loaded, config: { ...loaded.config, stateDir: join(path, '../state') } });
    assert.equal(readCachedConfig(path), undefined);
  });

  it('is written once', async (t) => {
    const path = await configured(t, TEXT);
    const loaded = await loadConfigInChild(path);
    await writeCachedConfig(loaded);
    const file = join(path, '../state/config.cache.json');
    utimesSync(file, 1, 1);
    await writeCachedConfig(loaded);
    assert.equal(statSync(file).mtimeMs, 1000);
  });
});
