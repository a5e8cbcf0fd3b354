import assert from 'node:assert/strict';
import { chmodSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { runMounted, skipWithoutMounts, startProgram } from '../../test/program.ts';
import { temporaryDirectory } from '../../test/temporary-directory.ts';
import type { ModelRow } from './models.ts';
import { StateStore } from './state-store.ts';

const hash = 'a'.repeat(64);
const model: ModelRow = {
  hash,
  sizeBytes: 10,
  importedAt: 5,
  signature: { inputs: [{ name: 'x', datatype: 'FP32', shape: [-1, 3] }], outputs: [] },
  summary: { opset: 13 },
  externalFiles: [{ name: 'w.bin', sizeBytes: 4, hash: 'b'.repeat(64) }],
};
const measurement = {
  model: hash,
  settings: { threads: 1, provider: 'cpu' },
  hardware: 'board',
  runtime: '1.0',
  p50Ms: 1.5,
  p95Ms: 2,
  meanMs: 1.6,
  iterations: 30,
  rssBytes: 1e6,
  loadMs: 12.25,
  measuredAt: 7,
};

function openStore(t: TestContext, stateDir = temporaryDirectory(t)): StateStore {
  const store = StateStore.open({ stateDir, onSetAside: ({ reason }) => assert.fail(reason) });
  t.after(() => store.close());
  return store;
}

describe('StateStore', () => {
  it('gives back what was put, also after it was closed and by a reader beside it', (t) => {
    const stateDir = temporaryDirectory(t);
    const first = openStore(t, stateDir);
    const selection = { model: 'clothes', variant: 'int8', reason: 'fastest', at: 9 };
    const probe = { fingerprint: 'board', report: { cpu: { cores: 4 } }, at: 3 };
    first.models.put(model);
    first.measurements.put(measurement);
    first.selections.put(selection);
    first.probes.record(probe);
    const reader = StateStore.openReadOnly(stateDir);
    assert.deepEqual(reader.models.get(hash), model);
    assert.throws(() => reader.selections.remove('clothes'), {
      code: 'STATE_UNAVAILABLE',
      message: /read-only/,
    });
    reader.close();
    first.close();

    const store = openStore(t, stateDir);
    assert.deepEqual(store.models.list(), [model]);
    assert.deepEqual(store.measurements.listFor(hash), [measurement]);
    assert.deepEqual(store.selections.list(), [selection]);
    assert.deepEqual(store.probes.latest(), probe);
  });

  it('keeps one measurement for each thing it depends on', (t) => {
    const { models, measurements } = openStore(t);
    models.put(model);
    measurements.put(measurement);
    measurements.put({ ...measurement, settings: { provider: 'cpu', threads: 1 }, p50Ms: 3 });
    assert.equal(measurements.find(measurement)?.p50Ms, 3);
    const others = [
      { ...measurement, settings: { threads: 2, provider: 'cpu' } },
      { ...measurement, settings: { threads: 1, provider: 'cuda' } },
      { ...measurement, hardware: 'other' },
      { ...measurement, runtime: '2.0' },
    ];
    for (const other of others) assert.equal(measurements.find(other), undefined);
    for (const other of others) measurements.put(other);
    assert.equal(measurements.listFor(hash).length, 5);
  });

  it('keeps what refers to a model when it is put again, and removes it with the model', (t) => {
    const store = openStore(t);
    store.models.put(model);
    store.measurements.put(measurement);
    store.models.put({ ...model, importedAt: 6 });
    assert.equal(store.measurements.listFor(hash).length, 1);
    assert.equal(store.models.get(hash)?.importedAt, 6);
    store.models.remove(hash);
    assert.equal(store.measurements.listFor(hash).length, 0);
    assert.throws(() => store.measurements.put(measurement), { code: 'STATE_UNAVAILABLE' });
  });

  it('knows the latest hardware report by order, not by a clock that was set back, and keeps ten', (t) => {
    const { probes } = openStore(t);
    for (let number = 0; number < 15; number += 1) {
      probes.record({ fingerprint: `board ${number % 12}`, report: number, at: 100 - number });
    }
    assert.deepEqual(probes.latest(), { fingerprint: 'board 2', report: 14, at: 86 });
  });

  it('keeps all writes of a transaction or none', (t) => {
    const store = openStore(t);
    const boom = new Error('boom');
    const work = (): void => {
      store.models.put(model);
      throw boom;
    };
    assert.throws(() => store.transaction(work), boom);
    assert.deepEqual(store.models.list(), []);
    store.transaction(() => store.models.put(model));
    assert.equal(store.models.list().length, 1);
  });

  it('works in memory where there is no state directory', () => {
    const store = StateStore.inMemory();
    store.models.put(model);
    assert.deepEqual(store.models.get(hash), model);
    assert.equal(store.reserve, undefined);
    store.close();
  });

  it('lets one process at a time use a state directory, until it dies', async (t) => {
    const stateDir = temporaryDirectory(t);
    const holder = startProgram(t, 'store-holder', stateDir);
    assert.equal(await holder.nextLine(), 'held');
    const message = `${stateDir}: another agent (process ${holder.pid}) is using this state directory`;
    assert.throws(() => openStore(t, stateDir), { code: 'STATE_IN_USE', message });
    StateStore.openReadOnly(stateDir).close();
    await holder.kill();
    const store = openStore(t, stateDir);
    assert.throws(() => openStore(t, stateDir), { code: 'STATE_IN_USE' });
    store.close();
    openStore(t, stateDir);
  });

  it('has every row whose write returned after the process was killed', async (t) => {
    const stateDir = temporaryDirectory(t);
    const writer = startProgram(t, 'store-writer', stateDir);
    let last = '';
    for (let count = 0; count < 50; count += 1) last = await writer.nextLine();
    const acknowledged = [last, ...(await writer.kill())].at(-1);
    const store = openStore(t, stateDir);
    const rows = new Set(store.selections.list().map((row) => row.model));
    for (let number = 0; number <= Number(acknowledged); number += 1) {
      assert.ok(rows.has(`m${number}`), `row ${number} of ${acknowledged} is lost`);
    }
  });

  it('refuses a state directory that is a file', (t) => {
    const path = join(temporaryDirectory(t), 'file');
    writeFileSync(path, '');
    assert.throws(() => openStore(t, path), {
      code: 'STATE_UNAVAILABLE',
      message: /file: is not a directory/,
    });
    assert.throws(() => openStore(t, join(path, 'below')), {
      code: 'STATE_UNAVAILABLE',
      message: /not a directory \(ENOTDIR\)/,
    });
  });

  it('puts a lock file right that holds something', (t) => {
    const stateDir = temporaryDirectory(t);
    writeFileSync(join(stateDir, 'lock.db'), 'left by a broken file system '.repeat(400));
    openStore(t, stateDir);
  });

  it('refuses a directory without write permission', {
    skip: process.getuid?.() === 0 && 'root may write',
  }, (t) => {
    const stateDir = temporaryDirectory(t);
    chmodSync(stateDir, 0o500);
    t.after(() => chmodSync(stateDir, 0o700));
    assert.throws(() => openStore(t, stateDir), { code: 'STATE_UNAVAILABLE', message: /permission denied/ });
  });

  it('refuses a read-only file system, as does an import', { skip: skipWithoutMounts }, (t) => {
    const directory = temporaryDirectory(t);
    const source = join(temporaryDirectory(t), 'model.onnx');
    writeFileSync(source, 'model');
    const mount = `mount --bind ${directory} ${directory} && mount -o remount,bind,ro ${directory}`;
    for (const stateDir of [directory, join(directory, 'below')]) {
      const errors = runMounted(mount, 'open-state', stateDir, source) as { code: string; message: string }[];
      assert.deepEqual(new Set(errors.map(({ code }) => code)), new Set(['STATE_UNAVAILABLE']));
      assert.match(errors[0]?.message ?? '', /the file system is read-only \(EROFS\)/);
      if (stateDir === directory) assert.match(errors[1]?.message ?? '', /read-only \(EROFS\)/);
    }
  });

  it('begins anew where state.db is gone', (t) => {
    const stateDir = temporaryDirectory(t);
    const store = openStore(t, stateDir);
    store.models.put(model);
    store.close();
    rmSync(join(stateDir, 'state.db'));
    assert.deepEqual(openStore(t, stateDir).models.list(), []);
  });
});
