import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { readInteger, readLine, readText, rootFiles } from './root-files.ts';

const outside = mkdtempSync(join(tmpdir(), 'selvage-root-'));
const root = join(outside, 'root');
const files = rootFiles(root);
mkdirSync(join(root, 'dir'), { recursive: true });
writeFileSync(join(outside, 'secret'), 'secret');
writeFileSync(join(root, 'value'), '42\nmore\n');

describe('rootFiles', () => {
  after(() => rmSync(outside, { recursive: true }));

  it('reads a file below the root, with or without a leading slash', async () => {
    assert.equal(await readInteger(files, '/value'), undefined, 'two lines are no integer');
    assert.equal(await readLine(files, 'value'), '42');
  });

  it('reads no more than the limit', async () => {
    writeFileSync(join(root, 'huge'), Buffer.alloc(3_000_000, 'a'));
    const text = await readText(files, '/huge', 100_000);
    assert.equal(text.status === 'ok' && text.data.length, 100_000);
  });

  it('has nothing for what is not there', async () => {
    assert.deepEqual(await files.read('/missing', 10), { status: 'none' });
    assert.deepEqual(await files.read('/value/below-a-file', 10), { status: 'none' });
    assert.deepEqual(await files.list('/missing'), { status: 'none' });
    assert.equal(await files.exists('/missing'), false);
  });

  it('fails with the reason for what is there and cannot be read', async () => {
    assert.deepEqual(await files.read('/dir', 10), { status: 'failed', reason: 'EISDIR' });
    writeFileSync(join(root, 'locked'), 'x');
    chmodSync(join(root, 'locked'), 0);
    const locked = await files.read('/locked', 10);
    // Root reads everything.
    if (process.getuid?.() !== 0) assert.deepEqual(locked, { status: 'failed', reason: 'EACCES' });
  });

  it('follows links inside the root only', async () => {
    symlinkSync('../root/value', join(root, 'inside'));
    symlinkSync(join(outside, 'secret'), join(root, 'absolute'));
    symlinkSync('../secret', join(root, 'relative'));
    assert.equal(await readLine(files, '/inside'), '42');
    for (const path of ['/absolute', '/relative']) {
      assert.deepEqual(await files.read(path, 10), {
        status: 'failed',
        reason: 'a link that leads out of the root',
      });
    }
    const up = await files.read('/../secret', 10);
    assert.notEqual(up.status, 'ok');
  });

  it('is not held up by a FIFO without a writer', async () => {
    execFileSync('mkfifo', [join(root, 'fifo')]);
    const fifo = await files.read('/fifo', 10);
    assert.notEqual(fifo.status, 'none');
  });

  it('lists numbers in numeric order', async () => {
    for (const name of ['cpu10', 'cpu2', 'cpu1']) writeFileSync(join(root, 'dir', name), '');
    assert.deepEqual(await files.list('/dir'), { status: 'ok', data: ['cpu1', 'cpu2', 'cpu10'] });
  });

  it('tells the room of the running machine only', async () => {
    assert.deepEqual(await files.space('/'), { status: 'none' });
    const live = await rootFiles('/').space('/');
    assert.ok(live.status === 'ok' && live.data.sizeBytes > 0 && live.data.freeBytes <= live.data.sizeBytes);
  });
});
