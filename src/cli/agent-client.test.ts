import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { echoServer, temporaryDirectory } from '../../test/http-fixture.ts';
import { agentRequest } from './agent-client.ts';

/** A listener that answers every connection with the same bytes, or none. */
async function answering(t: TestContext, bytes: string | undefined, end: boolean): Promise<string> {
  const path = join(temporaryDirectory(t), 's');
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.once('data', () => {
      if (bytes !== undefined) socket.write(bytes);
      if (end) socket.destroy();
    });
    t.after(() => socket.destroy());
  });
  await new Promise<void>((resolve) => server.listen({ path }, resolve));
  t.after(() => server.close());
  return path;
}

describe('agentRequest', () => {
  it('gives the answer, parsed where it is JSON', async (t) => {
    const { path } = await echoServer(t);
    const health = await agentRequest(path, 'GET', '/v2/health/live');
    assert.deepEqual([health.status, health.json], [200, { live: true, ready: true }]);
    const metrics = await agentRequest(path, 'GET', '/metrics');
    assert.equal(metrics.json, undefined);
    assert.match(metrics.body.toString(), /selvage_build_info/);
  });

  it("throws the agent's own error", async (t) => {
    const { path } = await echoServer(t);
    const asking = agentRequest(path, 'POST', '/v2/models/none/infer', '{"inputs":[]}');
    await assert.rejects(asking, { code: 'MODEL_NOT_FOUND', message: /no model 'none'/ });
  });

  it('names the model in hints, and says when it asked the wrong socket', async (t) => {
    const { path } = await echoServer(t);
    const image = agentRequest(path, 'POST', '/predict/tiny', 'x', { model: 'tiny' });
    await assert.rejects(image, { code: 'TASK_MISSING', hint: 'Set models.tiny.task, or send tensors.' });
    await assert.rejects(agentRequest(path, 'GET', '/models'), {
      code: 'AGENT_UNREACHABLE',
      message: /its other socket, .* \(there is no GET \/models\)/,
    });
  });

  it('does not wait for ever, nor take a broken answer', async (t) => {
    const fails = async (path: string, message: RegExp) => {
      const asking = agentRequest(path, 'GET', '/status', undefined, { timeoutMs: 200 });
      await assert.rejects(asking, { code: 'AGENT_UNREACHABLE', message });
    };
    await fails(await answering(t, undefined, false), /did not answer within 200 ms/);
    await fails(await answering(t, 'HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nab', false), /within 200 ms/);
    await fails(await answering(t, undefined, true), /ended the connection without an answer/);
    await fails(
      await answering(t, 'HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nab', true),
      /no agent answers/,
    );
    await fails(await answering(t, 'hello\r\n\r\n', true), /no agent answers/);
  });
});
