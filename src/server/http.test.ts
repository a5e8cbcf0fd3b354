import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { describe, it, type TestContext } from 'node:test';
import { echoServer, keepingLog, LIMITS, until } from '../../test/http-fixture.ts';
import { exchange, RawConnection, requestBytes } from '../../test/raw-http.ts';
import { HttpServer } from './http.ts';
import { jsonReply } from './reply.ts';
import { route } from './routes.ts';

const GOOD = {
  path: '/v2/models/tiny/infer',
  headers: { 'inference-header-content-length': '0' },
  body: Buffer.alloc(16),
};

function connection(t: TestContext, path: string): RawConnection {
  const raw = new RawConnection(path);
  t.after(() => raw.end());
  return raw;
}

describe('HttpServer.close', () => {
  it('lets requests under way finish, with the last word on their connections', async (t) => {
    const { path, server, service } = await echoServer(t);
    const release = service.hold();
    const busy = connection(t, path);
    busy.send(requestBytes(GOOD));
    await until(() => service.calls === 1);
    let closed = false;
    const closing = server.close(10_000).then(() => {
      closed = true;
    });
    await until(() => !existsSync(path));
    assert.equal(closed, false);
    release();
    const response = await busy.next();
    assert.equal(response.status, 200);
    assert.equal(response.headers['connection'], 'close');
    await busy.closed;
    await closing;
    assert.equal(server.connections, 0);
  });

  it('receives the rest of a body and answers pipelined requests', async (t) => {
    const { path, server, service } = await echoServer(t);
    const raw = connection(t, path);
    const release = service.hold();
    raw.send(requestBytes(GOOD), requestBytes(GOOD).subarray(0, -8));
    await until(() => service.calls === 1);
    const closing = server.close(10_000);
    raw.send(Buffer.alloc(8));
    await until(() => service.calls === 2);
    release();
    const responses = [await raw.next(), await raw.next()];
    assert.deepEqual(
      responses.map(({ status, headers }) => [status, headers['connection']]),
      [
        [200, 'keep-alive'],
        [200, 'close'],
      ],
    );
    await closing;
  });

  it('ends connections that idle, those that never said a word among them', async (t) => {
    const { path, server } = await echoServer(t);
    const idle = connection(t, path);
    idle.send(requestBytes(GOOD));
    await idle.next();
    const silent = connection(t, path);
    await until(() => server.connections === 2);
    const began = performance.now();
    await server.close(10_000);
    await Promise.all([idle.closed, silent.closed]);
    assert.ok(performance.now() - began < 5000);
  });

  it('cuts off what does not finish in time', async (t) => {
    const { path, server, service } = await echoServer(t);
    service.hold();
    const busy = connection(t, path);
    busy.send(requestBytes(GOOD));
    const slow = connection(t, path);
    slow.send('POST /v2/models/tiny/infer HT');
    await until(() => service.calls === 1 && server.connections === 2);
    await server.close(100);
    await Promise.all([busy.closed, slow.closed]);
    await until(() => service.aborted === 1);
    await server.close(100);
  });

  it('refuses connections afterwards', async (t) => {
    const { path, server } = await echoServer(t);
    await server.close(0);
    await assert.rejects(exchange(path, GOOD));
    assert.ok(!existsSync(path));
  });
});

describe('HttpServer on loopback TCP', () => {
  it('answers loopback names only', async (t) => {
    const routes = [route('GET', '/v2', () => jsonReply(200, {}))];
    const server = new HttpServer({ routes, limits: LIMITS, log: keepingLog().log });
    t.after(() => server.close(0));
    const where = await server.listenTcp({ host: '127.0.0.1', port: 0 });
    const status = async (host: string) => (await exchange(where, { path: '/v2', headers: { host } })).status;
    const loopback = ['localhost', 'LOCALHOST:8000', '127.0.0.1:8000', '127.1.2.3', '[::1]', '[::1]:8000'];
    for (const host of loopback) assert.equal(await status(host), 200, host);
    const others = [
      'example.com',
      'localhost.example.com',
      '127.0.0.1.example.com',
      '10.0.0.1',
      '[::2]',
      'localhost:x',
      '',
    ];
    for (const host of others) assert.equal(await status(host), 403, host);

    const raw = new RawConnection(where);
    t.after(() => raw.end());
    raw.send('GET /v2 HTTP/1.1\r\n\r\n');
    assert.equal((await raw.next()).status, 403);

    const second = new HttpServer({ routes, limits: LIMITS, log: keepingLog().log });
    await assert.rejects(second.listenTcp(where), { code: 'SOCKET_IN_USE' });
  });

  it('takes any name, or none, on a Unix socket', async (t) => {
    const { path } = await echoServer(t);
    assert.equal((await exchange(path, { path: '/v2', headers: { host: 'example.com' } })).status, 200);
    const raw = connection(t, path);
    raw.send('GET /v2 HTTP/1.1\r\n\r\n');
    assert.equal((await raw.next()).status, 200);
  });
});
