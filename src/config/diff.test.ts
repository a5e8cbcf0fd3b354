import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { loadFiles } from '../../test/config-files.ts';
import { diffConfig } from './diff.ts';
import type { Config } from './schema.ts';

async function configOf(text: string): Promise<Config> {
  return (await loadFiles({ 'selvage.yaml': text })).config;
}

const NOTHING = { added: [], changed: [], removed: [], unchanged: [], live: [], needRestart: [] };

describe('diffConfig', () => {
  it('finds nothing between equal configurations, whatever the order of their keys', async () => {
    const a = await configOf(
      'models: { a: { source: /a, threads: 2, task: { type: image-classification, size: [1, 2] } } }\n',
    );
    const b = await configOf(
      'log: {}\nmodels: { a: { threads: 2, task: { size: [1, 2], type: image-classification }, source: /a } }\n',
    );
    assert.deepEqual(diffConfig(a, b), { ...NOTHING, unchanged: ['a'] });
    assert.deepEqual(diffConfig(a, JSON.parse(JSON.stringify(a))), { ...NOTHING, unchanged: ['a'] });
  });

  it('sorts models into added, changed, removed and unchanged', async () => {
    const before = await configOf(
      'models: { z: { source: /z }, same: { source: /s }, threads: { source: /t }, deep: { source: /d, task: { type: image-classification, mean: [1, 2, 3] } } }\n',
    );
    const after = await configOf(
      'models: { same: { source: /s }, b: { source: /b }, constructor: { source: /c }, threads: { source: /t, threads: 2 }, deep: { source: /d, task: { type: image-classification, mean: [1, 2, 4] } } }\n',
    );
    assert.deepEqual(diffConfig(before, after), {
      ...NOTHING,
      added: ['b', 'constructor'],
      changed: ['deep', 'threads'],
      removed: ['z'],
      unchanged: ['same'],
    });
    assert.deepEqual(diffConfig(after, before).removed, ['b', 'constructor']);
  });

  it('tells a setting that was added or taken away from one that is the same', async () => {
    const before = await configOf('models: { a: { source: /a } }\n');
    const after = await configOf('models: { a: { source: /a, task: { type: image-classification } } }\n');
    assert.deepEqual(diffConfig(before, after).changed, ['a']);
    assert.deepEqual(diffConfig(after, before).changed, ['a']);
  });

  it('tells what takes effect at once from what needs a restart', async () => {
    const before = await configOf('');
    const after = await configOf(
      'stateDir: /x\nserver: { drainTimeoutMs: 1, http: { socket: /s, tcp: {}, limits: { maxConnections: 1 } }, admin: { socket: /a } }\nlog: { level: warn }\nmedia: { maxPixels: 5 }\nrequestLog: { enabled: false, maxAgeDays: 1 }\nschedule: { retention: "@daily" }\n',
    );
    assert.deepEqual(diffConfig(before, after), {
      ...NOTHING,
      live: [
        'log.level',
        'media.maxPixels',
        'requestLog.enabled',
        'requestLog.maxAgeDays',
        'schedule.retention',
        'server.drainTimeoutMs',
      ],
      needRestart: [
        'server.admin.socket',
        'server.http.limits.maxConnections',
        'server.http.socket',
        'server.http.tcp',
        'stateDir',
      ],
    });
  });
});
