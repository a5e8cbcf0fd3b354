import assert from 'node:assert/strict';
import { type ChildProcess, fork } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { temporaryDirectory } from '../../test/http-fixture.ts';
import type { ErrorCode } from '../lib/errors.ts';
import { SelvageError } from '../lib/errors.ts';
import { type BoundUnixSocket, listenUnix } from './socket.ts';

interface Listening {
  readonly server: Server;
  readonly bound: BoundUnixSocket;
}

async function listen(t: TestContext, path: string, mode = 0o660, group?: string): Promise<Listening> {
  const server = createServer((socket) => socket.on('error', () => undefined).end('here'));
  t.after(() => server.close());
  return { server, bound: await listenUnix(server, { path, mode, group }) };
}

/** What a client gets that connects. */
function visit(path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    let text = '';
    socket.on('data', (chunk) => (text += chunk));
    socket.on('end', () => resolve(text));
    socket.on('error', reject);
  });
}

/** Leaves a socket behind at which nobody listens, as a killed process does. */
async function leaveStale(path: string): Promise<void> {
  const child = fork(fileURLToPath(new URL('../../test/socket-child.js', import.meta.url)), [path]);
  await new Promise((resolve) => child.once('message', resolve));
  child.kill('SIGKILL');
  await new Promise((resolve) => child.once('close', resolve));
  assert.ok(statSync(path).isSocket());
  await assert.rejects(visit(path), { code: 'ECONNREFUSED' });
}

/** Starts processes that all want the path once they are told; returns what each got. */
async function race(t: TestContext, path: string, count: number): Promise<unknown[]> {
  const children = Array.from({ length: count }, () =>
    fork(fileURLToPath(new URL('../../test/racing-child.js', import.meta.url)), [path]),
  );
  for (const child of children) t.after(() => child.kill('SIGKILL'));
  const message = (child: ChildProcess) => new Promise((resolve) => child.once('message', resolve));
  await Promise.all(children.map(message));
  const results = Promise.all(children.map(message));
  for (const child of children) child.send('go');
  return results;
}

async function fails(promise: Promise<unknown>, code: ErrorCode, text: RegExp): Promise<void> {
  await assert.rejects(promise, (error: unknown) => {
    assert.ok(error instanceof SelvageError);
    assert.equal(error.code, code);
    assert.match(error.message, text);
    return true;
  });
}

describe('listenUnix', () => {
  it('listens with the mode and the group asked for, and leaves nothing else beside', async (t) => {
    const directory = temporaryDirectory(t);
    for (const [name, mode] of [
      ['a.sock', 0o660],
      ['b.sock', 0o600],
      ['c.sock', 0o666],
    ] as const) {
      const path = join(directory, name);
      await listen(t, path, mode, String(process.getgid?.()));
      assert.equal(statSync(path).mode & 0o777, mode);
      assert.equal(await visit(path), 'here');
    }
    assert.deepEqual(readdirSync(directory), ['a.sock', 'b.sock', 'c.sock']);
  });

  it('gives the socket to a group by its name', {
    skip: process.getuid?.() !== 0 && 'needs root',
  }, async (t) => {
    const path = join(temporaryDirectory(t), 's');
    await listen(t, path, 0o660, 'daemon');
    assert.equal(statSync(path).gid, 1);
  });

  it('does not change the umask of the process', async (t) => {
    const before = process.umask();
    await listen(t, join(temporaryDirectory(t), 's'));
    assert.equal(process.umask(), before);
  });

  it('takes the place of a stale socket', async (t) => {
    const directory = temporaryDirectory(t);
    const path = join(directory, 's');
    await leaveStale(path);
    await listen(t, path);
    assert.equal(await visit(path), 'here');
    assert.deepEqual(readdirSync(directory), ['s']);
  });

  it('leaves a live socket alone', async (t) => {
    const directory = temporaryDirectory(t);
    const path = join(directory, 's');
    await listen(t, path);
    await fails(listen(t, path), 'SOCKET_IN_USE', /another process is listening/);
    assert.equal(await visit(path), 'here');
    assert.deepEqual(readdirSync(directory), ['s']);
  });

  it('leaves everything else at the path alone', async (t) => {
    const directory = temporaryDirectory(t);
    writeFileSync(join(directory, 'file'), 'kept');
    mkdirSync(join(directory, 'folder'));
    symlinkSync('nowhere', join(directory, 'link'));
    for (const name of ['file', 'folder', 'link']) {
      await fails(listen(t, join(directory, name)), 'SOCKET_PATH', /exists and is not a socket/);
    }
    assert.deepEqual(readdirSync(directory), ['file', 'folder', 'link']);
  });

  it('refuses paths that cannot be', async (t) => {
    const directory = temporaryDirectory(t);
    writeFileSync(join(directory, 'file'), '');
    await fails(listen(t, join(directory, 'none', 's')), 'SOCKET_PATH', /there is no directory .*none/);
    await fails(listen(t, join(directory, 'file', 's')), 'SOCKET_PATH', /not a directory|ENOTDIR/);
    await fails(
      listen(t, join(directory, 'x'.repeat(108))),
      'SOCKET_PATH',
      /bytes, a Unix socket allows 107/,
    );
    await fails(listen(t, join(directory, 'a\0b')), 'SOCKET_PATH', /not the path of a file/);
    await fails(
      listen(t, join(directory, 's'), 0o660, 'no such group'),
      'SOCKET_PATH',
      /no group 'no such group'/,
    );
    assert.deepEqual(readdirSync(directory), ['file']);
  });

  it('takes a path of exactly 107 bytes', async (t) => {
    const directory = temporaryDirectory(t);
    const path = join(directory, 'ü'.padEnd(106 - Buffer.byteLength(`${directory}/`), 'x'));
    assert.equal(Buffer.byteLength(path), 107);
    await listen(t, path);
    assert.equal(await visit(path), 'here');
    await fails(listen(t, path), 'SOCKET_IN_USE', /another process/);
  });

  it('lets exactly one of two starts in one process have the path, stale or free', async (t) => {
    const directory = temporaryDirectory(t);
    for (let round = 0; round < 10; round++) {
      const path = join(directory, `s${round}`);
      if (round % 2 === 1) await leaveStale(path);
      const starts = await Promise.allSettled([1, 2].map(() => listen(t, path)));
      assert.equal(starts.filter(({ status }) => status === 'fulfilled').length, 1);
      const codes = starts.flatMap((start) => (start.status === 'rejected' ? [start.reason.code] : []));
      assert.deepEqual(codes, ['SOCKET_IN_USE']);
      assert.equal(await visit(path), 'here');
    }
    assert.equal(readdirSync(directory).length, 10);
  });

  it('lets exactly one of several processes have the path, stale or free', async (t) => {
    const directory = temporaryDirectory(t);
    for (const name of ['stale', 'free']) {
      const path = join(directory, name);
      if (name === 'stale') await leaveStale(path);
      const results = await race(t, path, 4);
      assert.deepEqual(results.sort(), ['SOCKET_IN_USE', 'SOCKET_IN_USE', 'SOCKET_IN_USE', 'listening']);
      assert.equal(await visit(path), 'here');
    }
    assert.deepEqual(readdirSync(directory), ['free', 'stale']);
  });

  it('removes its socket, but not one that took its place', async (t) => {
    const path = join(temporaryDirectory(t), 's');
    const first = await listen(t, path);
    await first.bound.remove();
    assert.ok(!existsSync(path));
    await first.bound.remove();

    const second = await listen(t, path);
    unlinkSync(path);
    const third = await listen(t, path);
    await second.bound.remove();
    assert.equal(await visit(path), 'here');
    await third.bound.remove();
    assert.ok(!existsSync(path));
  });
});
