import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, it } from 'node:test';
import { loadFiles, withFiles } from '../../test/config-files.ts';
import { packageRoot } from '../lib/paths.ts';
import { loadConfig } from './load.ts';

describe('loadConfig', () => {
  it('takes an empty file, comments only, and settings without values as all defaults', async () => {
    const texts = ['', '# nothing\n', '---\n...\n', 'models:\nserver:\n  http:\nlog: ~\n', '\uFEFF'];
    const [first, ...rest] = await Promise.all(texts.map((text) => loadFiles({ 'selvage.yaml': text })));
    assert.equal(first?.config.server.http.socket, '/run/selvage/selvage.sock');
    assert.deepEqual(first?.config.models, {});
    for (const one of rest) assert.deepEqual(one.config, first?.config);
  });

  it('takes the default file of the package, and what it has commented out', async () => {
    const text = readFileSync(join(packageRoot, 'config/selvage.yaml'), 'utf8');
    const defaults = await loadFiles({ 'selvage.yaml': '' });
    assert.deepEqual((await loadFiles({ 'selvage.yaml': text })).config, defaults.config);

    const uncommented = text.replaceAll(/^( *)# (.*)$/gm, (line, indent: string, rest: string) =>
      /^ *[A-Za-z0-9]+:( |$)/.test(rest) ? indent + rest : line,
    );
    const { config } = await loadFiles({ 'selvage.yaml': uncommented });
    assert.deepEqual(Object.keys(config.models), ['clothes', 'animals']);
    assert.deepEqual(config.server.http.tcp, { host: '127.0.0.1', port: 8000 });
    const { tcp: _, ...http } = config.server.http;
    assert.deepEqual({ ...config, models: {}, server: { ...config.server, http } }, defaults.config);
  });

  it('takes the example of the reference page', async () => {
    const page = readFileSync(join(packageRoot, 'docs/configuration.md'), 'utf8');
    const examples = [...page.matchAll(/```yaml\n(.*?)```/gs)].map((match) => match[1] ?? '');
    assert.equal(examples.length, 1);
    const { config } = await loadFiles({ 'selvage.yaml': examples[0] ?? '' });
    assert.deepEqual(Object.keys(config.models), ['clothes', 'animals']);
  });

  it('merges conf.d in the order of names: maps by key, lists and scalars replaced', async () => {
    const { config, files } = await loadFiles({
      'selvage.yaml':
        'models:\n  a: { source: a.onnx, threads: 2, queue: 7, task: { type: image-classification, mean: [1, 2, 3], topK: 2 } }\n  b: { source: b.onnx }\n',
      'conf.d/20-last.yaml': 'models: { a: { threads: 4 } }\n',
      'conf.d/10-first.yaml':
        'models: { a: { threads: 3, timeoutMs: 5, task: { mean: [4] } }, c: { source: c.onnx } }\n',
      'conf.d/.hidden.yaml': 'x: 1\n',
      'conf.d/note.txt': 'x: 1\n',
    });
    assert.deepEqual(Object.keys(config.models), ['a', 'b', 'c']);
    const { threads, queue, timeoutMs, task } = config.models['a'] ?? {};
    assert.deepEqual({ threads, queue, timeoutMs }, { threads: 4, queue: 7, timeoutMs: 5 });
    assert.deepEqual([task?.mean, task?.topK], [[4], 2]);
    assert.deepEqual(
      files.map((file) => basename(file)),
      ['selvage.yaml', '10-first.yaml', '20-last.yaml'],
    );
  });

  it('lets a later file take back what an earlier one says', async () => {
    const { config } = await loadFiles({
      'selvage.yaml':
        'models:\n  a: { source: a.onnx, threads: 2 }\n  b: { source: b.onnx }\nserver: { http: { tcp: {} } }\n',
      'conf.d/10.yaml': 'models: { a: { threads: null }, b: null }\nserver: { http: { tcp: ~ } }\n',
    });
    assert.deepEqual(Object.keys(config.models), ['a']);
    assert.equal(config.models['a']?.threads, 1);
    assert.equal(config.server.http.tcp, undefined);
  });

  it('resolves relative paths against the directory of the file that says them', async () => {
    await withFiles(
      {
        'selvage.yaml':
          'stateDir: state\nserver: { http: { socket: ../s.sock } }\nmodels:\n  a: { source: m/a.onnx }\n  b: { source: /abs/b.onnx }\n',
        'conf.d/10.yaml':
          'server: { admin: { socket: admin.sock } }\nmodels:\n  a: { task: { type: image-classification, labels: labels.txt } }\n  c: { variants: { x: { source: x.onnx } }, task: { type: image-classification, labels: [a/b, c] } }\n',
      },
      async (directory) => {
        const { config, path, files, baseDir } = await loadConfig(join(directory, 'selvage.yaml'), {
          env: {},
        });
        assert.equal(config.stateDir, join(directory, 'state'));
        assert.equal(config.server.http.socket, join(directory, '../s.sock'));
        assert.equal(config.server.admin.socket, join(directory, 'conf.d/admin.sock'));
        assert.equal(config.models['a']?.source, join(directory, 'm/a.onnx'));
        assert.equal(config.models['a']?.task?.labels, join(directory, 'conf.d/labels.txt'));
        assert.equal(config.models['b']?.source, '/abs/b.onnx');
        assert.equal(config.models['c']?.variants?.['x']?.source, join(directory, 'conf.d/x.onnx'));
        assert.deepEqual(config.models['c']?.task?.labels, ['a/b', 'c']);
        assert.equal(baseDir, directory);
        assert.equal(path, join(directory, 'selvage.yaml'));
        assert.deepEqual(files, [path, join(directory, 'conf.d/10.yaml')]);
      },
    );
  });

  it('shares a value between models with an anchor', async () => {
    const { config } = await loadFiles({
      'selvage.yaml':
        'models:\n  a: { source: a.onnx, task: &t { type: image-classification, size: 8 } }\n  b: { source: b.onnx, task: *t }\n',
    });
    assert.deepEqual(config.models['b']?.task, config.models['a']?.task);
    assert.equal(config.models['b']?.task?.size, 8);
  });

  it('returns plain data that nobody can change', async () => {
    const loaded = await loadFiles({ 'selvage.yaml': 'models: { a: { source: a.onnx } }\n' });
    assert.deepEqual(JSON.parse(JSON.stringify(loaded)), loaded);
    assert.throws(() => Object.assign(loaded.config.server.http, { socket: 'x' }), TypeError);
    assert.throws(() => Object.assign(loaded.shown as object, { x: 1 }), TypeError);
    assert.throws(() => Object.assign(loaded.config.models, { b: 1 }), TypeError);
  });

  it('sees a changed file at the next load', async () => {
    await withFiles({ 'selvage.yaml': 'log: { level: warn }\n' }, async (directory) => {
      const path = join(directory, 'selvage.yaml');
      assert.equal((await loadConfig(path)).config.log.level, 'warn');
      mkdirSync(join(directory, 'conf.d'));
      writeFileSync(join(directory, 'conf.d/x.yaml'), 'log: { level: error }\n');
      assert.equal((await loadConfig(path)).config.log.level, 'error');
    });
  });
});
