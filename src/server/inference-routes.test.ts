import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { gunzipSync, gzipSync, inflateSync } from 'node:zlib';
import { echoModel } from '../../test/echo-service.ts';
import { echoServer } from '../../test/http-fixture.ts';
import { exchange, type RawResponse } from '../../test/raw-http.ts';

function json(response: RawResponse): unknown {
  assert.equal(response.headers['content-type'], 'application/json');
  return JSON.parse(response.body.toString());
}

const FLOATS = Buffer.from(new Float32Array([1, 2.5, -3, 4]).buffer);

function tinyBinary(extra: object = {}): { headers: Record<string, string>; body: Buffer } {
  const head = Buffer.from(
    JSON.stringify({
      id: 'r1',
      inputs: [{ name: 'x', datatype: 'FP32', shape: [1, 4], parameters: { binary_data_size: 16 } }],
      outputs: [{ name: 'x_out', parameters: { binary_data: true } }],
      ...extra,
    }),
  );
  return {
    headers: { 'inference-header-content-length': String(head.byteLength) },
    body: Buffer.concat([head, FLOATS]),
  };
}

function splitBinary(response: RawResponse): { head: Record<string, unknown>; tensors: Buffer } {
  const headBytes = Number(response.headers['inference-header-content-length']);
  const head = JSON.parse(response.body.toString('utf8', 0, headBytes)) as Record<string, unknown>;
  return { head, tensors: response.body.subarray(headBytes) };
}

describe('server and model routes', () => {
  it('tells about the server and its health', async (t) => {
    const { path } = await echoServer(t);
    const metadata = json(await exchange(path, { path: '/v2' })) as Record<string, unknown>;
    assert.equal(metadata['name'], 'selvage');
    assert.equal(metadata['version'], '0.1.0');
    assert.ok((metadata['extensions'] as string[]).includes('binary_tensor_data'));
    for (const which of ['live', 'ready']) {
      const health = await exchange(path, { path: `/v2/health/${which}` });
      assert.equal(health.status, 200);
      assert.deepEqual(json(health), { live: true, ready: true });
    }
  });

  it('is live but not ready while a model is loading', async (t) => {
    const loading = echoModel('slow', [], { state: 'loading', reason: 'warming up', signature: undefined });
    const { path } = await echoServer(t, { models: [loading] });
    assert.equal((await exchange(path, { path: '/v2/health/live' })).status, 200);
    const ready = await exchange(path, { path: '/v2/health/ready' });
    assert.equal(ready.status, 503);
    assert.deepEqual(json(ready), { live: true, ready: false });
    const model = await exchange(path, { path: '/v2/models/slow/ready' });
    assert.equal(model.status, 503);
    assert.deepEqual(json(model), { name: 'slow', ready: false });
    const answer = await exchange(path, { path: '/v2/models/slow/infer', body: '{"inputs":[]}' });
    assert.equal(answer.status, 503);
    assert.equal(answer.headers['retry-after'], '1');
    const raw = await exchange(path, {
      path: '/v2/models/slow/infer',
      headers: { 'inference-header-content-length': '0' },
      body: 'abc',
    });
    assert.equal(raw.status, 503);
  });

  it('tells about a model, with and without its version', async (t) => {
    const { path } = await echoServer(t);
    for (const base of ['/v2/models/tiny', '/v2/models/tiny/versions/1']) {
      const metadata = json(await exchange(path, { path: base })) as Record<string, unknown>;
      assert.deepEqual(metadata['inputs'], [{ name: 'x', datatype: 'FP32', shape: [-1, 4] }]);
      assert.deepEqual(metadata['versions'], ['1']);
      const ready = await exchange(path, { path: `${base}/ready` });
      assert.deepEqual([ready.status, json(ready)], [200, { name: 'tiny', ready: true }]);
      const config = json(await exchange(path, { path: `${base}/config` })) as Record<string, unknown>;
      assert.equal(config['max_batch_size'], 0);
      const stats = json(await exchange(path, { path: `${base}/stats` })) as {
        model_stats: { name: string }[];
      };
      assert.deepEqual(
        stats.model_stats.map(({ name }) => name),
        ['tiny'],
      );
    }
    const all = json(await exchange(path, { path: '/v2/models/stats' })) as { model_stats: unknown[] };
    assert.equal(all.model_stats.length, 4);
  });

  it('lists the repository, all of it or what is ready', async (t) => {
    const models = [echoModel('a', []), echoModel('b', [], { state: 'refused', reason: 'truncated' })];
    const { path } = await echoServer(t, { models });
    const request = { method: 'POST', path: '/v2/repository/index' };
    assert.deepEqual(json(await exchange(path, request)), [
      { name: 'a', version: '1', state: 'READY', reason: '' },
      { name: 'b', version: '1', state: 'UNAVAILABLE', reason: 'truncated' },
    ]);
    const ready = json(await exchange(path, { ...request, body: '{"ready":true}' })) as unknown[];
    assert.equal(ready.length, 1);
    assert.equal((await exchange(path, { ...request, body: '{"ready":1}' })).status, 400);
  });

  it('gives the metrics, and refuses shared memory and what only the admin socket does', async (t) => {
    const { path } = await echoServer(t);
    const metrics = await exchange(path, { path: '/metrics' });
    assert.match(metrics.headers['content-type'] ?? '', /^text\/plain; version=0\.0\.4/);
    assert.equal(metrics.body.toString(), 'selvage_build_info 1\n');
    for (const kind of ['system', 'cuda']) {
      assert.equal((await exchange(path, { path: `/v2/${kind}sharedmemory/status` })).status, 501);
      const register = `/v2/${kind}sharedmemory/region/r/register`;
      assert.equal((await exchange(path, { path: register, body: '{}' })).status, 501);
    }
    const load = await exchange(path, { method: 'POST', path: '/v2/repository/models/tiny/load' });
    assert.equal(load.status, 404);
  });

  it('answers HEAD like GET without the body', async (t) => {
    const { path } = await echoServer(t);
    const get = await exchange(path, { path: '/v2' });
    const head = await exchange(path, { path: '/v2', method: 'HEAD' });
    assert.equal(head.status, 200);
    assert.equal(head.headers['content-length'], get.headers['content-length']);
    assert.equal(head.body.byteLength, 0);
  });
});

describe('infer', () => {
  it('takes and gives JSON tensors', async (t) => {
    const { path } = await echoServer(t);
    const inputs = [{ name: 'x', datatype: 'FP32', shape: [1, 4], data: [[1, 2.5, -3, 4]] }];
    const response = await exchange(path, {
      path: '/v2/models/tiny/versions/1/infer',
      body: JSON.stringify({ id: 'r1', inputs }),
    });
    assert.equal(response.status, 200);
    assert.deepEqual(json(response), {
      id: 'r1',
      model_name: 'tiny',
      model_version: '1',
      parameters: { selvage_variant: 'original' },
      outputs: [{ name: 'x_out', datatype: 'FP32', shape: [1, 4], data: [1, 2.5, -3, 4] }],
    });
  });

  it('takes and gives binary tensors', async (t) => {
    const { path } = await echoServer(t);
    const response = await exchange(path, { path: '/v2/models/tiny/infer', ...tinyBinary() });
    assert.equal(response.status, 200);
    assert.equal(response.headers['content-type'], 'application/octet-stream');
    const { head, tensors } = splitBinary(response);
    assert.equal(head['id'], 'r1');
    assert.deepEqual(tensors, FLOATS);
  });

  it('gives binary outputs for JSON inputs, and takes a raw body for the only input', async (t) => {
    const { path } = await echoServer(t);
    const inputs = [{ name: 'x', datatype: 'FP32', shape: [1, 4], data: [1, 2.5, -3, 4] }];
    const mixed = await exchange(path, {
      path: '/v2/models/tiny/infer',
      body: JSON.stringify({ inputs, parameters: { binary_data_output: true } }),
    });
    assert.deepEqual(splitBinary(mixed).tensors, FLOATS);
    const raw = await exchange(path, {
      path: '/v2/models/tiny/infer',
      headers: { 'inference-header-content-length': '0', 'content-type': 'application/octet-stream' },
      body: FLOATS,
    });
    assert.deepEqual(splitBinary(raw).tensors, FLOATS);
  });

  it('gives large outputs whole, of announced and of chunked bodies', async (t) => {
    const { path } = await echoServer(t);
    const data = Buffer.alloc(3_000_003, 'selvage');
    const headers = { 'inference-header-content-length': '0' };
    const announced = await exchange(path, { path: '/v2/models/bytes/infer', headers, body: data });
    assert.deepEqual(splitBinary(announced).tensors, data);
    const pieces = [1000, 70_000, 2_929_003].map((size, index) => {
      const from = [0, 1000, 71_000][index] ?? 0;
      const piece = data.subarray(from, from + size);
      return Buffer.concat([Buffer.from(`${size.toString(16)}\r\n`), piece, Buffer.from('\r\n')]);
    });
    const chunked = await exchange(path, {
      path: '/v2/models/bytes/infer',
      headers: { ...headers, 'transfer-encoding': 'chunked' },
      body: Buffer.concat([...pieces, Buffer.from('0\r\n\r\n')]),
    });
    assert.deepEqual(splitBinary(chunked).tensors, data);
  });

  it('does not mix up the bodies of requests that follow each other in one buffer', async (t) => {
    const { path } = await echoServer(t);
    const headers = { 'inference-header-content-length': '0' };
    const answers = await Promise.all(
      [1, 2, 3, 4, 5, 6, 7, 8].map(async (fill) => {
        for (let round = 0; round < 5; round++) {
          const body = Buffer.alloc(200_000 + fill, fill * 16 + round);
          const response = await exchange(path, { path: '/v2/models/bytes/infer', headers, body });
          assert.ok(splitBinary(response).tensors.equals(body));
        }
        return fill;
      }),
    );
    assert.equal(answers.length, 8);
  });

  it('answers classes with their labels where they are asked for', async (t) => {
    const { path } = await echoServer(t);
    const response = await exchange(path, {
      path: '/v2/models/bytes/infer',
      body: JSON.stringify({
        inputs: [{ name: 'b', datatype: 'UINT8', shape: [3], data: [7, 9, 8] }],
        outputs: [{ name: 'b_out', parameters: { classification: 2 } }],
      }),
    });
    const { outputs } = json(response) as { outputs: { data: string[] }[] };
    assert.deepEqual(outputs[0]?.data, ['9:1:one', '8:2:two']);
  });

  it('passes the time a client allows, its id and a signal', async (t) => {
    const { path, service } = await echoServer(t);
    const { headers, body } = tinyBinary({ parameters: { timeout: 2500 } });
    const response = await exchange(path, {
      path: '/v2/models/tiny/infer',
      headers: { ...headers, 'x-request-id': 'from-the-client' },
      body,
    });
    assert.equal(response.headers['x-request-id'], 'from-the-client');
    assert.equal(service.lastOptions?.timeoutMs, 3);
    assert.equal(service.lastOptions?.requestId, 'from-the-client');
  });

  it('makes up a request id where the given one is none', async (t) => {
    const { path } = await echoServer(t);
    const ids = new Set<string | undefined>();
    for (const given of [undefined, 'with blank', 'x'.repeat(129)]) {
      const headers = given === undefined ? {} : { 'x-request-id': given };
      ids.add((await exchange(path, { path: '/v2', headers })).headers['x-request-id']);
    }
    assert.equal(ids.size, 3);
    for (const id of ids) assert.match(id ?? '', /^[0-9a-f]{12}-[0-9a-z]+$/);
  });

  it('takes gzip and deflate, and compresses for a client that asks', async (t) => {
    const { path } = await echoServer(t);
    const data = Buffer.alloc(100_000, 'selvage');
    const headers = { 'inference-header-content-length': '0', 'content-encoding': 'gzip' };
    const packed = await exchange(path, {
      path: '/v2/models/bytes/infer',
      headers: { ...headers, 'accept-encoding': 'gzip' },
      body: gzipSync(data),
    });
    assert.equal(packed.headers['content-encoding'], 'gzip');
    const body = gunzipSync(packed.body);
    assert.ok(splitBinary({ ...packed, body }).tensors.equals(data));
    const deflated = await exchange(path, {
      path: '/v2/models/bytes/infer',
      headers: { 'inference-header-content-length': '0', 'accept-encoding': 'deflate' },
      body: data,
    });
    assert.equal(deflated.headers['content-encoding'], 'deflate');
    assert.ok(splitBinary({ ...deflated, body: inflateSync(deflated.body) }).tensors.equals(data));
  });
});

describe('predict', () => {
  const jpeg = Buffer.from([0xff, 0xd8, 0xff, 0xff, 0xd8, 0xff]);

  it("answers a person's input in the documented form", async (t) => {
    const { path } = await echoServer(t);
    const response = await exchange(path, {
      path: '/predict/picture?top_k=1',
      headers: { 'content-type': 'Image/JPEG; q=1', 'x-request-id': 'p1' },
      body: jpeg,
    });
    assert.deepEqual(json(response), {
      model: 'picture',
      variant: 'original',
      source: 'edge',
      requestId: 'p1',
      latencyMs: 0.25,
      predictions: [{ label: 'byte 255', index: 255, probability: 4 / 6 }],
    });
  });

  it('takes tensors in place of an image, as JSON and as binary', async (t) => {
    const { path } = await echoServer(t);
    const tensor = { name: 'p', datatype: 'UINT8', shape: [3] };
    const fromJson = await exchange(path, {
      path: '/predict/picture',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ inputs: [{ ...tensor, data: [7, 7, 8] }] }),
    });
    const raw = await exchange(path, {
      path: '/predict/picture',
      headers: { 'content-type': 'application/octet-stream', 'inference-header-content-length': '0' },
      body: Buffer.from([7, 7, 8]),
    });
    for (const response of [fromJson, raw]) {
      const { predictions } = json(response) as { predictions: { index: number }[] };
      assert.deepEqual(
        predictions.map(({ index }) => index),
        [7, 8],
      );
    }
  });

  it('refuses other media, models without a task, and a wrong top_k', async (t) => {
    const { path } = await echoServer(t);
    const status = async (target: string, type?: string) => {
      const headers = type === undefined ? {} : { 'content-type': type };
      return (await exchange(path, { path: target, headers, body: jpeg })).status;
    };
    assert.equal(await status('/predict/picture', 'text/html'), 415);
    assert.equal(await status('/predict/picture'), 415);
    assert.equal(await status('/predict/tiny', 'image/jpeg'), 400);
    assert.equal(await status('/predict/nothing', 'image/jpeg'), 404);
    for (const topK of ['0', '-1', '1e3', '1001', 'all', '']) {
      assert.equal(await status(`/predict/picture?top_k=${topK}`, 'image/jpeg'), 400, topK);
    }
  });
});
