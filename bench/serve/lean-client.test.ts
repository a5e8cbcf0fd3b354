import assert from 'node:assert/strict';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { temporaryDirectory } from '../../test/http-fixture.ts';
import { LeanClient, requestBytes } from './lean-client.ts';

/** A server that writes these pieces, each by itself, as soon as a request comes. */
async function pieceServer(t: TestContext, pieces: readonly string[], end = false): Promise<string> {
  const path = join(temporaryDirectory(t), 'pieces.sock');
  const answer = async (socket: Socket): Promise<void> => {
    for (const piece of pieces) {
      socket.write(piece);
      await sleep(5);
    }
    if (end) socket.end();
  };
  const server: Server = createServer((socket) => {
    socket.setNoDelay(true);
    socket.on('data', () => void answer(socket));
    socket.on('error', () => {});
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  t.after(() => server.close());
  return path;
}

describe('LeanClient', () => {
  it('puts an answer together from pieces and is then ready for the next', async (t) => {
    const pieces = [
      'HTTP/1.1 20',
      '0 OK\r\nInference-Header-Content-Length: 2\r\nContent-Le',
      'ngth: 6\r\n\r\nab',
      'cd',
      'ef',
    ];
    const client = await LeanClient.connect(await pieceServer(t, pieces));
    t.after(() => client.close());
    for (let time = 0; time < 2; time++) {
      const { status, body, elapsedMs } = await client.send(requestBytes('GET', '/'));
      assert.equal(status, 200);
      assert.equal(body.toString(), 'abcdef');
      assert.ok(elapsedMs >= 15, `${elapsedMs} ms for five pieces 5 ms apart`);
    }
  });

  it('takes an answer without a body', async (t) => {
    const client = await LeanClient.connect(
      await pieceServer(t, ['HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n']),
    );
    t.after(() => client.close());
    const { status, body } = await client.send(requestBytes('GET', '/'));
    assert.deepEqual([status, body.byteLength], [503, 0]);
  });

  it('rejects when the connection ends in the middle of an answer, and from then on', async (t) => {
    const path = await pieceServer(t, ['HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabc'], true);
    const client = await LeanClient.connect(path);
    await assert.rejects(client.send(requestBytes('GET', '/')), /connection was closed/);
    await assert.rejects(client.send(requestBytes('GET', '/')), /connection was closed/);
  });

  it('rejects where nobody listens', async (t) => {
    await assert.rejects(LeanClient.connect(join(temporaryDirectory(t), 'none.sock')), /ENOENT/);
  });
});
