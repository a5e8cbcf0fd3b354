import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { deflateSync, gzipSync } from 'node:zlib';
import { echoServer, until } from '../../test/http-fixture.ts';
import { exchange, RawConnection, type RawRequest, requestBytes } from '../../test/raw-http.ts';
import { route } from './routes.ts';

const INFER = '/v2/models/tiny/infer';
const RAW = { 'inference-header-content-length': '0' };
const GOOD: RawRequest = { path: INFER, headers: RAW, body: Buffer.alloc(16) };

type EchoServer = Awaited<ReturnType<typeof echoServer>>;

/** Sends one request, expects an error, and then a good answer: nothing is lost. */
async function refused(server: EchoServer, request: RawRequest, status: number, text: RegExp): Promise<void> {
  const response = await exchange(server.path, request);
  assert.equal(response.status, status, response.body.toString());
  const { error } = JSON.parse(response.body.toString()) as { error: string };
  assert.match(error, text);
  await serves(server);
}

async function serves(server: EchoServer): Promise<void> {
  assert.equal((await exchange(server.path, GOOD)).status, 200);
  await until(() => server.server.bodyBytes === 0);
}

function connection(t: TestContext, server: EchoServer): RawConnection {
  const raw = new RawConnection(server.path);
  t.after(() => raw.end());
  return raw;
}

describe('bad requests', () => {
  it('names what is wrong with routes, models and versions', async (t) => {
    const server = await echoServer(t);
    await refused(server, { path: '/v3' }, 404, /there is no GET \/v3/);
    await refused(server, { path: '/v2', method: 'DELETE' }, 405, /takes GET, HEAD/);
    await refused(server, { path: INFER, method: 'GET' }, 405, /takes POST/);
    await refused(
      server,
      { path: '/v2/models/none/infer', body: '{"inputs":[]}' },
      404,
      /no model 'none'; there are tiny/,
    );
    await refused(server, { path: '/v2/models/__proto__' }, 404, /no model '__proto__'/);
    await refused(server, { path: '/v2/models/tiny/versions/9' }, 404, /no version '9'/);
    await refused(server, { path: '/v2/models/%ff' }, 400, /percent-encoded/);
    const { headers } = await exchange(server.path, { path: INFER });
    assert.equal(headers['allow'], 'POST');
    assert.equal(headers['selvage-error'], 'METHOD_NOT_ALLOWED');
  });

  it('refuses JSON that is broken, deep, or no object, and keeps out __proto__', async (t) => {
    const server = await echoServer(t);
    const bad = [
      '',
      '{',
      '[]',
      'null',
      '"x"',
      '{"inputs":1}',
      '{"inputs":[null]}',
      '\ufeff{}',
      '{"inputs":[]}x',
    ];
    for (const body of bad) await refused(server, { path: INFER, body, method: 'POST' }, 400, /./);
    const deep = `{"inputs":${'['.repeat(100_000)}${']'.repeat(100_000)}}`;
    await refused(server, { path: INFER, body: deep }, 400, /nested/);
    const input = { name: 'x', datatype: 'FP32', shape: [1, 4], data: [1, 2, 3, 4] };
    const polluted = `{"__proto__":{"polluted":1},"parameters":{"__proto__":"x"},"inputs":[${JSON.stringify(input)}]}`;
    const answer = await exchange(server.path, { path: INFER, body: polluted });
    assert.equal(answer.status, 200);
    assert.equal(({} as Record<string, unknown>)['polluted'], undefined);
  });

  it('refuses tensors that do not fit', async (t) => {
    const server = await echoServer(t);
    const send = (input: object, status: number, text: RegExp) =>
      refused(server, { path: INFER, body: JSON.stringify({ inputs: [input] }) }, status, text);
    const good = { name: 'x', datatype: 'FP32', shape: [1, 4], data: [1, 2, 3, 4] };
    await send({ ...good, name: 'y' }, 400, /no input 'y'; it has 'x'/);
    await send({ ...good, datatype: 'BF16' }, 400, /BF16/);
    await send({ ...good, datatype: 'INT32' }, 400, /FP32/);
    await send({ ...good, shape: [4] }, 400, /\[/);
    await send({ ...good, shape: [2, 4] }, 400, /8/);
    await send({ ...good, shape: [-1, 4] }, 400, /shape/);
    await send({ ...good, data: [1, 2, 3, 'NaN'] }, 400, /element 3/);
    await refused(server, { path: INFER, headers: RAW, body: Buffer.alloc(15) }, 400, /./);
  });

  it('refuses a JSON length that is none, or longer than the body', async (t) => {
    const server = await echoServer(t);
    for (const length of ['-1', '1.5', 'x', '0x10', '1e3', '17', '99999999999999999999']) {
      const headers = { 'inference-header-content-length': length };
      await refused(server, { path: INFER, headers, body: Buffer.alloc(16) }, 400, /Content-Length/);
    }
    const body = JSON.stringify({
      inputs: [{ name: 'x', datatype: 'FP32', shape: [1, 4], parameters: { binary_data_size: 17 } }],
    });
    const headers = { 'inference-header-content-length': String(body.length) };
    await refused(
      server,
      { path: INFER, headers, body: `${body}${'x'.repeat(16)}` },
      400,
      /16 bytes are left/,
    );
    await refused(server, { path: INFER, headers, body: `${body}${'x'.repeat(18)}` }, 400, /1 bytes/);
  });
});

describe('bodies over their limits', () => {
  const limits = { jsonBodyBytes: 2000, binaryBodyBytes: 100_000, mediaBodyBytes: 50_000 };

  it('has a limit for each kind of body, announced or not', async (t) => {
    const server = await echoServer(t, { limits });
    const big = Buffer.alloc(200_000, 0x20);
    const chunked = { 'transfer-encoding': 'chunked' };
    const chunks = (data: Buffer) =>
      Buffer.concat([Buffer.from(`${data.byteLength.toString(16)}\r\n`), data, Buffer.from('\r\n0\r\n\r\n')]);
    await refused(server, { path: INFER, body: big.subarray(0, 2001) }, 413, /JSON body .* 2000 bytes/);
    await refused(server, { path: INFER, headers: chunked, body: chunks(big) }, 413, /JSON body/);
    await refused(server, { path: INFER, headers: RAW, body: big }, 413, /binary body .* 100000 bytes/);
    await refused(server, { path: INFER, headers: { ...RAW, ...chunked }, body: chunks(big) }, 413, /binary/);
    const image = { 'content-type': 'image/jpeg' };
    await refused(
      server,
      { path: '/predict/picture', headers: image, body: big },
      413,
      /media body .* 50000/,
    );
    const longJson = { 'inference-header-content-length': '2001' };
    await refused(server, { path: INFER, headers: longJson, body: big.subarray(0, 3000) }, 413, /JSON/);
  });

  it('goes on with the connection after a body that was too large', async (t) => {
    const server = await echoServer(t, { limits });
    const raw = connection(t, server);
    raw.send(requestBytes({ path: INFER, headers: RAW, body: Buffer.alloc(300_000) }), requestBytes(GOOD));
    assert.equal((await raw.next()).status, 413);
    assert.equal((await raw.next()).status, 200);
  });

  it('stops at the limit when a small body is a large one compressed', async (t) => {
    const server = await echoServer(t, { limits });
    const headers = { ...RAW, 'content-encoding': 'gzip' };
    const bomb = gzipSync(Buffer.alloc(20_000_000));
    assert.ok(bomb.byteLength < limits.binaryBodyBytes);
    await refused(server, { path: INFER, headers, body: bomb }, 413, /binary body/);
    await refused(
      server,
      { path: INFER, headers, body: gzipSync(Buffer.alloc(16)).subarray(0, 15) },
      400,
      /gzip/,
    );
    await refused(
      server,
      { path: INFER, headers: { ...headers, 'content-encoding': 'br' }, body: bomb },
      415,
      /br/,
    );
  });

  it('bounds what all bodies hold together, and counts what arrived, not what was announced', async (t) => {
    const server = await echoServer(t, { limits: { binaryBodyBytes: 60_000, inFlightBytes: 100_000 } });
    const release = server.service.hold();
    const body = { path: '/v2/models/bytes/infer', headers: RAW, body: Buffer.alloc(60_000) };
    const announcers = [1, 2, 3, 4].map(() => connection(t, server));
    for (const raw of announcers) raw.send(requestBytes(body).subarray(0, -59_999));
    const first = connection(t, server);
    first.send(requestBytes(body));
    await until(() => server.service.calls === 1);
    const turnedAway = await exchange(server.path, body);
    assert.equal(turnedAway.status, 429);
    assert.equal(turnedAway.headers['retry-after'], '1');
    release();
    assert.equal((await first.next()).status, 200);
    for (const raw of announcers) raw.end();
    await serves(server);
  });

  it('counts a body by its size after decompression', async (t) => {
    const server = await echoServer(t, { limits: { binaryBodyBytes: 60_000, inFlightBytes: 50_000 } });
    const headers = { ...RAW, 'content-encoding': 'deflate' };
    const body = deflateSync(Buffer.alloc(55_000));
    await refused(server, { path: '/v2/models/bytes/infer', headers, body }, 429, /50000 bytes/);
  });
});

describe('clients that lie, dawdle or leave', () => {
  it('drops a request whose client leaves in mid-body', async (t) => {
    const server = await echoServer(t);
    const raw = new RawConnection(server.path);
    raw.send(requestBytes({ ...GOOD, headers: { ...RAW, 'content-length': 1000 } }));
    await until(() => server.server.bodyBytes === 16);
    raw.end();
    await until(() => server.server.connections === 0);
    assert.equal(server.service.calls, 0);
    await serves(server);
  });

  it('aborts the call of a client that leaves before its answer', async (t) => {
    const server = await echoServer(t);
    const release = server.service.hold();
    const raw = new RawConnection(server.path);
    raw.send(requestBytes(GOOD));
    await until(() => server.service.calls === 1);
    raw.end();
    await until(() => server.service.aborted === 1);
    release();
    await serves(server);
    assert.deepEqual(server.lines, []);
  });

  it('aborts all calls of a client that pipelined and left', async (t) => {
    const server = await echoServer(t);
    const release = server.service.hold();
    const warnings: Error[] = [];
    const warned = (warning: Error) => warnings.push(warning);
    process.on('warning', warned);
    t.after(() => process.off('warning', warned));
    const raw = new RawConnection(server.path);
    raw.send(Buffer.concat(Array.from({ length: 20 }, () => requestBytes(GOOD))));
    await until(() => server.service.calls === 20);
    raw.end();
    await until(() => server.service.aborted === 20);
    release();
    await serves(server);
    assert.deepEqual(warnings, []);
  });

  it('takes bytes beyond the announced length as what they are: no request', async (t) => {
    const server = await echoServer(t);
    const raw = connection(t, server);
    raw.send(requestBytes({ ...GOOD, body: Buffer.alloc(40), headers: { ...RAW, 'content-length': 16 } }));
    assert.equal((await raw.next()).status, 200);
    await raw.closed;
    await serves(server);
  });

  it('answers what is no HTTP, and heads that are too large or contradict themselves', async (t) => {
    const server = await echoServer(t);
    const cases: [string, number][] = [
      ['\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n', 400],
      ['GET / HTTP/9.9\r\n\r\n', 400],
      [`POST ${INFER} HTTP/1.1\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\n`, 400],
      [`POST ${INFER} HTTP/1.1\r\ncontent-length: -5\r\n\r\n`, 400],
      [`POST ${INFER} HTTP/1.1\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n`, 400],
      [`POST ${INFER} HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n`, 400],
      [`GET /v2 HTTP/1.1\r\nx: ${'y'.repeat(20_000)}\r\n\r\n`, 431],
      [`GET /${'y'.repeat(20_000)} HTTP/1.1\r\n\r\n`, 431],
    ];
    for (const [bytes, status] of cases) {
      const raw = connection(t, server);
      raw.send(Buffer.from(bytes, 'latin1'));
      const response = await raw.next();
      assert.equal(response.status, status, bytes.slice(0, 60));
      assert.match(response.body.toString(), /^\{"error":".+"\}$/);
      await raw.closed;
    }
    await serves(server);
  });

  it('ends a slow head and a slow body with 408', async (t) => {
    const server = await echoServer(t, { limits: { headerTimeoutMs: 100, requestTimeoutMs: 200 } });
    const head = connection(t, server);
    head.send('GET /v2 HTTP/1.1\r\nhost: ');
    const body = connection(t, server);
    body.send(requestBytes({ ...GOOD, headers: { ...RAW, 'content-length': 1000 } }));
    for (const [raw, allowed] of [
      [head, /within 100 ms/],
      [body, /within 200 ms/],
    ] as const) {
      const response = await raw.next();
      assert.equal(response.status, 408);
      assert.match(response.body.toString(), allowed);
      await raw.closed;
    }
    assert.equal(server.service.calls, 0);
    await serves(server);
  });

  it('drops a client that takes no bytes of its answer', async (t) => {
    const server = await echoServer(t, { limits: { headerTimeoutMs: 100, requestTimeoutMs: 200 } });
    const raw = connection(t, server);
    raw.socket.pause();
    raw.send(requestBytes({ path: '/v2/models/bytes/infer', headers: RAW, body: Buffer.alloc(8_000_000) }));
    await until(() => server.service.calls === 1);
    await until(() => server.server.connections === 0);
    await serves(server);
  });

  it('lets an answer take longer than the client may take for its request', async (t) => {
    const server = await echoServer(t, { limits: { headerTimeoutMs: 100, requestTimeoutMs: 150 } });
    const release = server.service.hold();
    const answer = exchange(server.path, GOOD);
    await new Promise((resolve) => setTimeout(resolve, 500));
    release();
    assert.equal((await answer).status, 200);
  });

  it('closes idle connections, and takes no more connections than it may', async (t) => {
    const server = await echoServer(t, { limits: { idleTimeoutMs: 100, maxConnections: 2 } });
    const raw = connection(t, server);
    raw.send(requestBytes(GOOD));
    assert.equal((await raw.next()).status, 200);
    const second = connection(t, server);
    second.send(requestBytes(GOOD));
    await second.next();
    const third = connection(t, server);
    third.send(requestBytes(GOOD));
    await assert.rejects(third.next());
    await raw.closed;
    await second.closed;
    await serves(server);
  });

  it('answers pipelined requests in their order', async (t) => {
    const server = await echoServer(t);
    const raw = connection(t, server);
    const all = Array.from({ length: 50 }, (_, index) =>
      requestBytes({ path: '/v2/models/bytes/infer', headers: RAW, body: Buffer.alloc(index + 1, index) }),
    );
    raw.send(Buffer.concat(all));
    for (let index = 0; index < 50; index++) {
      const { body, headers } = await raw.next();
      const tensor = body.subarray(Number(headers['inference-header-content-length']));
      assert.deepEqual(tensor, Buffer.alloc(index + 1, index));
    }
  });

  it('asks for the body with 100 Continue only where it wants it', async (t) => {
    const server = await echoServer(t, { limits: { binaryBodyBytes: 100_000 } });
    const expect = { ...RAW, expect: '100-continue' };
    const raw = connection(t, server);
    const request = requestBytes({ ...GOOD, headers: expect });
    raw.send(request.subarray(0, -16));
    assert.equal((await raw.next()).status, 100);
    raw.send(request.subarray(-16));
    assert.equal((await raw.next()).status, 200);

    const large = connection(t, server);
    large.send(
      requestBytes({ path: INFER, method: 'POST', headers: { ...expect, 'content-length': 100_001 } }),
    );
    const response = await large.next();
    assert.equal(response.status, 413);
    assert.equal(response.headers['connection'], 'close');
    await large.closed;
  });

  it('hides nothing but its own faults, which it logs', async (t) => {
    const fault = route('GET', '/fault', () => {
      throw new TypeError('no such thing');
    });
    const server = await echoServer(t, { routes: [fault] });
    await refused(
      server,
      { path: '/fault', headers: { 'x-request-id': 'f1' } },
      500,
      /internal error: no such thing/,
    );
    assert.equal(server.lines.length, 1);
    assert.match(server.lines[0] ?? '', /"requestId":"f1"/);
  });
});
