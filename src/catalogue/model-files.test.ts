import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  appendFileSync,
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { startProgram } from '../../test/program.ts';
import { temporaryDirectory } from '../../test/temporary-directory.ts';
import { type ImportRequest, importModelFile } from './model-files.ts';
import { modelFilePath } from './model-path.ts';
import { removeTemporaryFiles, removeUnusedModels } from './stored-models.ts';
import { verifyModelFile } from './verify-model-file.ts';

const MIB = 1024 * 1024;
const DAY_MS = 86_400_000;

interface Setup {
  readonly request: ImportRequest;
  readonly source: string;
  readonly stateDir: string;
  readonly models: string;
}

function setup(t: TestContext, content: string | Buffer = 'a model'): Setup {
  const source = join(temporaryDirectory(t), 'net.onnx');
  const stateDir = temporaryDirectory(t);
  writeFileSync(source, content);
  return { request: { model: 'm', source, stateDir }, source, stateDir, models: join(stateDir, 'models') };
}

function put(source: string, name: string, content: string): void {
  const path = join(dirname(source), name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
}

function sha256(content: string | Buffer): string {
  return createHash('sha256').update(content).digest('hex');
}

describe('importModelFile', () => {
  it('stores the file under its SHA-256, read-only', async (t) => {
    const { request, stateDir, models } = setup(t);
    const imported = await importModelFile(request);
    assert.equal(imported.hash, sha256('a model'));
    assert.equal(imported.path, modelFilePath(stateDir, imported.hash));
    assert.equal(imported.sizeBytes, 7);
    assert.ok(imported.copied);
    assert.equal(readFileSync(imported.path, 'utf8'), 'a model');
    assert.equal(statSync(imported.path).mode & 0o222, 0);
    assert.deepEqual(readdirSync(models), [imported.hash]);
    assert.deepEqual(JSON.parse(JSON.stringify(imported)), imported, 'it can cross to another process');
  });

  it('writes nothing for content that is there, from whatever source', async (t) => {
    const { request, source } = setup(t);
    const first = await importModelFile(request);
    const before = statSync(first.path, { bigint: true });
    const copy = `${source}.copy`;
    writeFileSync(copy, 'a model');
    const second = await importModelFile({ ...request, source: copy });
    assert.ok(!second.copied);
    assert.equal(second.path, first.path);
    assert.deepEqual(statSync(second.path, { bigint: true }).ctimeNs, before.ctimeNs);
  });

  it('replaces stored files that lost their length', async (t) => {
    const { request, models } = setup(t);
    const { path } = await importModelFile(request);
    chmodSync(path, 0o600);
    writeFileSync(path, 'a');
    assert.ok((await importModelFile(request)).copied);
    assert.equal(readFileSync(path, 'utf8'), 'a model');
    assert.equal(readdirSync(models).length, 1);
  });

  it('takes external data along, and names the model by all of it', async (t) => {
    const { request, source, stateDir } = setup(t);
    put(source, 'weights.bin', 'one');
    put(source, 'deep/er/more.bin', 'two');
    const externalFiles = ['weights.bin', './deep/er/more.bin', 'deep//er/more.bin'];
    const imported = await importModelFile({ ...request, externalFiles });
    assert.deepEqual(imported.externalFiles, [
      { name: 'weights.bin', sizeBytes: 3, hash: sha256('one') },
      { name: 'deep/er/more.bin', sizeBytes: 3, hash: sha256('two') },
    ]);
    assert.equal(imported.sizeBytes, 13);
    assert.equal(imported.files.length, 3);
    const directory = dirname(imported.path);
    assert.equal(readFileSync(join(directory, 'deep/er/more.bin'), 'utf8'), 'two');
    assert.deepEqual(await verifyModelFile(stateDir, imported.hash), { ok: true });

    const reordered = await importModelFile({ ...request, externalFiles: externalFiles.toReversed() });
    assert.equal(reordered.hash, imported.hash);
    put(source, 'weights.bin', 'ONE');
    const changed = await importModelFile({ ...request, externalFiles });
    const fewer = await importModelFile({ ...request, externalFiles: ['weights.bin'] });
    const none = await importModelFile(request);
    assert.equal(new Set([imported, changed, fewer, none].map(({ hash }) => hash)).size, 4);
  });

  const escapes: ReadonlyArray<readonly [string, RegExp]> = [
    ['../secret', /does not name a file below/],
    ['deep/../../secret', /does not name a file below/],
    ['/etc/passwd', /is not a relative path/],
    ['', /is empty/],
    ['a\0b', /NUL/],
    ['.', /does not name a file below/],
    ['deep/', /does not name a file below/],
    ['./model.onnx', /has the name that the store gives the model file/],
    ['link', /is a link that leaves the folder/],
    ['linked/secret', /is a link that leaves the folder/],
  ];
  for (const [name, message] of escapes) {
    it(`refuses external data named ${JSON.stringify(name)}`, async (t) => {
      const { request, source, stateDir } = setup(t);
      const outside = temporaryDirectory(t);
      writeFileSync(join(outside, 'secret'), 'secret');
      put(source, 'deep/x', '');
      symlinkSync(join(outside, 'secret'), join(dirname(source), 'link'));
      symlinkSync(outside, join(dirname(source), 'linked'));
      const refused = importModelFile({ ...request, externalFiles: [name] });
      await assert.rejects(refused, { code: 'MODEL_FILE_INVALID', message });
      assert.deepEqual(readdirSync(stateDir), []);
    });
  }

  it('refuses what is no model file with the reason', async (t) => {
    const { request, source } = setup(t, '');
    await assert.rejects(importModelFile(request), {
      code: 'MODEL_FILE_INVALID',
      message: /is empty \(0 bytes\)/,
    });
    const folder = { ...request, source: dirname(source) };
    await assert.rejects(importModelFile(folder), {
      code: 'MODEL_FILE_INVALID',
      message: /not a regular file/,
    });
    const missing = { ...request, source: `${source}.missing` };
    await assert.rejects(importModelFile(missing), { code: 'MODEL_FILE_MISSING', message: /model 'm'/ });
    const external = { ...request, externalFiles: ['missing.bin'] };
    await assert.rejects(importModelFile(external), { code: 'MODEL_FILE_MISSING', message: /missing\.bin/ });
  });

  it('does not wait for a FIFO, nor read a device for ever', async (t) => {
    const { request } = setup(t);
    const fifo = join(temporaryDirectory(t), 'fifo');
    assert.equal(spawnSync('mkfifo', [fifo]).status, 0);
    for (const source of [fifo, '/dev/zero']) {
      const refused = importModelFile({ ...request, source });
      await assert.rejects(refused, { code: 'MODEL_FILE_INVALID', message: /not a regular file/ });
    }
  });

  it('reports progress from 0 to 1', async (t) => {
    const { request } = setup(t, Buffer.alloc(3 * MIB, 1));
    const seen: number[] = [];
    await importModelFile({ ...request, onProgress: (fraction) => seen.push(fraction) });
    assert.deepEqual(
      seen,
      [...seen].sort((one, other) => one - other),
    );
    assert.ok(seen.length >= 6 && (seen[0] ?? 1) < 0.2);
    assert.equal(seen.at(-1), 1);
  });

  it('stops when it is cancelled and leaves nothing', async (t) => {
    const { request, models } = setup(t, Buffer.alloc(3 * MIB, 1));
    for (const at of [0.1, 0.6]) {
      const controller = new AbortController();
      const onProgress = (fraction: number): void => void (fraction > at && controller.abort());
      const cancelled = importModelFile({ ...request, signal: controller.signal, onProgress });
      await assert.rejects(cancelled, { code: 'CANCELLED' });
    }
    assert.deepEqual(readdirSync(models), []);
  });

  for (const at of [0.2, 0.7]) {
    it(`reads a source again that changes when ${at * 100} % is done, and gives up the second time`, async (t) => {
      const { request, source, models } = setup(t, Buffer.alloc(3 * MIB, 1));
      let changes = 0;
      const changeAt = (limit: number) => (fraction: number) => {
        if (fraction < at || fraction > at + 0.25 || changes >= limit) return;
        changes += 1;
        appendFileSync(source, 'more');
      };
      const imported = await importModelFile({ ...request, onProgress: changeAt(1) });
      assert.equal(changes, 1);
      assert.equal(imported.hash, sha256(readFileSync(source)));
      assert.deepEqual(readdirSync(models), [imported.hash]);

      appendFileSync(source, 'content that the store does not have');
      const never = importModelFile({ ...request, onProgress: changeAt(99) });
      await assert.rejects(never, { code: 'MODEL_FILE_INVALID', message: /changed while it was read/ });
      assert.deepEqual(readdirSync(models), [imported.hash]);
    });
  }

  it('notices a source that is replaced while it is read', async (t) => {
    const { request, source } = setup(t, Buffer.alloc(3 * MIB, 1));
    let replaced = false;
    const onProgress = (fraction: number): void => {
      if (replaced || fraction < 0.2) return;
      replaced = true;
      writeFileSync(`${source}.new`, 'new content');
      renameSync(`${source}.new`, source);
    };
    const imported = await importModelFile({ ...request, onProgress });
    assert.equal(imported.hash, sha256('new content'));
  });

  it('leaves nothing half where its process is killed', async (t) => {
    const { request, source, stateDir, models } = setup(t, Buffer.alloc(4 * MIB, 1));
    const program = startProgram(t, 'import-stalled', source, stateDir);
    assert.equal(await program.nextLine(), 'half-way');
    await program.kill();
    assert.match(readdirSync(models).join(), /^\.tmp-\d+-\w+$/);
    mkdirSync(join(models, `.tmp-${process.pid}-running`));
    assert.equal(await removeTemporaryFiles(stateDir), 1);
    assert.deepEqual(readdirSync(models), [`.tmp-${process.pid}-running`]);
    assert.ok((await importModelFile(request)).copied);
  });

  it('lets two imports of the same content run at once', async (t) => {
    const { request, models } = setup(t, Buffer.alloc(2 * MIB, 1));
    const both = await Promise.all([importModelFile(request), importModelFile(request)]);
    assert.equal(both[0].hash, both[1].hash);
    assert.deepEqual(readdirSync(models), [both[0].hash]);
  });
});

describe('the store of models', () => {
  it('finds bits that the disk has lost, and files that are gone', async (t) => {
    const { request, source, stateDir } = setup(t);
    put(source, 'weights.bin', 'one');
    const { hash, path } = await importModelFile({ ...request, externalFiles: ['weights.bin'] });
    assert.deepEqual(await verifyModelFile(stateDir, hash), { ok: true });
    const weights = join(dirname(path), 'weights.bin');
    chmodSync(weights, 0o600);
    writeFileSync(weights, 'onf');
    const verified = await verifyModelFile(stateDir, hash);
    assert.match(verified.ok ? '' : verified.problem, /content has changed/);
    rmSync(weights);
    assert.equal((await verifyModelFile(stateDir, hash)).ok, false);
    rmSync(path);
    assert.match(JSON.stringify(await verifyModelFile(stateDir, hash)), /no model file/);
    assert.equal((await verifyModelFile(stateDir, 'f'.repeat(64))).ok, false);
  });

  it('removes models that nothing uses, but not those that are new or that it does not know', async (t) => {
    const { request, source, stateDir, models } = setup(t);
    const hashes: string[] = [];
    for (const content of ['used', 'unused', 'new', 'from the future']) {
      writeFileSync(source, content);
      hashes.push((await importModelFile(request)).hash);
    }
    const [used = '', unused = '', fresh = '', future = ''] = hashes;
    const now = Date.now();
    const date = (name: string, at: number): void => utimesSync(join(models, name), at / 1000, at / 1000);
    for (const hash of [used, unused]) date(hash, now - DAY_MS);
    date(future, now + 365 * DAY_MS);
    for (const name of ['.tmp-1-old', '.tmp-1-new', 'notes']) mkdirSync(join(models, name));
    date('.tmp-1-old', now - 2 * DAY_MS);
    date('notes', now - 2 * DAY_MS);
    const removed = await removeUnusedModels({ stateDir, keep: new Set([used]), graceMs: 60_000, now });
    assert.deepEqual(removed.sort(), [unused, future].sort());
    assert.deepEqual(readdirSync(models).sort(), ['.tmp-1-new', 'notes', used, fresh].sort());
  });

  it('is empty where there is no state directory', async (t) => {
    const stateDir = join(temporaryDirectory(t), 'missing');
    assert.equal(await removeTemporaryFiles(stateDir), 0);
    assert.deepEqual(await removeUnusedModels({ stateDir, keep: new Set(), graceMs: 0, now: 0 }), []);
    await assert.rejects(importModelFile({ model: 'm', source: process.execPath, stateDir }), {
      code: 'STATE_UNAVAILABLE',
      message: /no such file or directory/,
    });
  });
});
