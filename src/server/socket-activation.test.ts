import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { linkSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { temporaryDirectory } from '../../test/http-fixture.ts';
import { exchange } from '../../test/raw-http.ts';
import { listenFds } from './socket-activation.ts';

describe('listenFds', () => {
  const of = (env: NodeJS.ProcessEnv) => [...listenFds(env, 42)];

  it('names the descriptors from 3 on', () => {
    const env = { LISTEN_PID: '42', LISTEN_FDS: '3', LISTEN_FDNAMES: 'http:admin:http' };
    assert.deepEqual(of(env), [
      ['http', 3],
      ['admin', 4],
    ]);
    assert.deepEqual(of({ LISTEN_PID: '42', LISTEN_FDS: '1' }), [['unknown', 3]]);
  });

  it('takes none that are meant for another process, or are none', () => {
    assert.deepEqual(of({}), []);
    assert.deepEqual(of({ LISTEN_PID: '43', LISTEN_FDS: '1' }), []);
    for (const count of ['', '0', '-1', 'x', '1.5', '100000']) {
      assert.deepEqual(of({ LISTEN_PID: '42', LISTEN_FDS: count }), []);
    }
  });

  it('leaves nothing for child processes', () => {
    const env = { LISTEN_PID: '43', LISTEN_FDS: '1', LISTEN_FDNAMES: 'a', PATH: '/bin' };
    listenFds(env, 42);
    assert.deepEqual(env, { PATH: '/bin' });
  });
});

describe('an HTTP server on an inherited socket', () => {
  it('serves on it, and leaves its path and mode alone', async (t) => {
    const directory = temporaryDirectory(t);
    const path = join(directory, 's');
    const manager = createServer();
    await new Promise<void>((resolve) => manager.listen({ path: join(directory, 'first') }, resolve));
    // When this process closes its end, so that only the child accepts, Node removes the first name.
    linkSync(join(directory, 'first'), path);
    const { mode, ino } = statSync(path);
    const child = spawn(
      process.execPath,
      [fileURLToPath(new URL('../../test/activated-child.js', import.meta.url))],
      {
        env: { ...process.env, LISTEN_FDS: '1', LISTEN_FDNAMES: 'http' },
        // The handle's file descriptor is what a service manager would pass on.
        stdio: [
          'ignore',
          'inherit',
          'inherit',
          (manager as unknown as { _handle: { fd: number } })._handle.fd,
          'ipc',
        ],
      },
    );
    t.after(() => child.kill('SIGKILL'));
    manager.close();
    const ended = new Promise((resolve) => child.once('close', resolve));
    await new Promise((resolve) => child.once('message', resolve));
    const response = await exchange(path, { path: '/who' });
    assert.deepEqual(JSON.parse(response.body.toString()), { fd: 3, left: [] });
    child.send('close');
    assert.equal(await ended, 0);
    assert.equal(statSync(path).ino, ino);
    assert.equal(statSync(path).mode, mode);
  });
});
