import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { Agent } from 'node:http';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { gunzipSync, gzipSync } from 'node:zlib';
import { packageRoot } from '../../src/lib/paths.ts';
import { DATATYPE_NAMES, DATATYPES, type Datatype } from '../../src/tensor/datatype.ts';
import { bytesOf, joinBytes } from '../../src/tensor/tensor.ts';
import { identityModel, scalarModel, tinyModel, tinyOutput, twoInputModel } from '../models.ts';
import { AgentHome } from './agent-home.ts';
import { AgentProcess } from './agent-process.ts';
import type { Answer } from './http-client.ts';

const EXAMPLES = join(packageRoot, 'examples');

/** Three elements of each datatype, at the edges of what it holds, as JSON has them. */
const ELEMENTS: Readonly<Record<Datatype, readonly (number | string | boolean)[]>> = {
  BOOL: [true, false, true],
  UINT8: [0, 7, 255],
  UINT16: [0, 7, 65_535],
  UINT32: [0, 7, 4_294_967_295],
  UINT64: [0, 7, '18446744073709551615'],
  INT8: [-128, 0, 127],
  INT16: [-32_768, 0, 32_767],
  INT32: [-2_147_483_648, 0, 2_147_483_647],
  INT64: ['-9223372036854775808', 0, '9223372036854775807'],
  FP16: [-65_504, 0.5, 2],
  FP32: [-1.5, 0.25, 16_777_215],
  FP64: [-1.5, 0.1, 123_456_789.125],
  BYTES: ['', 'dünn', '{"a":1}\n'],
};

describe('serving', () => {
  const home = new AgentHome();
  let agent: AgentProcess;

  before(async () => {
    const models: Record<string, object> = {};
    for (const datatype of DATATYPE_NAMES) {
      home.write(`${datatype}.onnx`, identityModel(datatype));
      models[`same-${datatype.toLowerCase()}`] = { source: `${datatype}.onnx` };
    }
    home.write('tiny.onnx', tinyModel());
    home.write('pair.onnx', twoInputModel());
    home.write('scalar.onnx', scalarModel());
    home.configure({
      ...models,
      tiny: { source: 'tiny.onnx', version: 'v7' },
      pair: { source: 'pair.onnx' },
      scalar: { source: 'scalar.onnx' },
      clothes: {
        source: join(EXAMPLES, 'models/fashion-mnist-dscnn.onnx'),
        task: {
          type: 'image-classification',
          labels: join(EXAMPLES, 'models/fashion-mnist-labels.txt'),
          topK: 3,
        },
      },
    });
    agent = await AgentProcess.start(home);
  });
  after(async () => {
    await agent.stop();
    home.remove();
  });

  function tiny(row: readonly number[], rest: object = {}): Promise<Answer> {
    return agent.infer('tiny', [{ name: 'input', datatype: 'FP32', shape: [1, 4], data: row }], rest);
  }

  /** Sends raw tensors after the JSON that describes them. */
  function inferBinary(model: string, json: object, tensors: readonly Uint8Array[]): Promise<Answer> {
    const head = Buffer.from(JSON.stringify(json));
    return agent.ask(`/v2/models/${model}/infer`, {
      headers: { 'Inference-Header-Content-Length': head.byteLength },
      body: Buffer.concat([head, ...tensors]),
    });
  }

  function inferOneBinary(model: string, datatype: string, shape: readonly number[], data: Uint8Array) {
    const parameters = { binary_data_size: data.byteLength };
    const inputs = [{ name: 'input', datatype, shape, parameters }];
    return inferBinary(model, { inputs, parameters: { binary_data_output: true } }, [data]);
  }

  async function refused(answer: Promise<Answer>, status: number, pattern: RegExp): Promise<void> {
    const { status: found, text, json } = await answer;
    assert.equal(found, status, text);
    assert.match((json as { error: string }).error, pattern);
  }

  for (const datatype of DATATYPE_NAMES) {
    it(`gives ${datatype} back as it came, in JSON and in binary`, async () => {
      const model = `same-${datatype.toLowerCase()}`;
      const data = ELEMENTS[datatype];
      const input = { name: 'input', datatype, shape: [data.length], data };
      const inJson = await agent.infer(model, [input]);
      assert.equal(inJson.status, 200, inJson.text);
      // Integers beyond 2^53 are digits in the answer, which JSON.parse would round.
      for (const element of data) {
        const text = typeof element === 'string' && datatype !== 'BYTES' ? element : JSON.stringify(element);
        assert.ok(inJson.text.includes(text), `${text} in ${inJson.text}`);
      }
      const [output] = inJson.json.outputs;
      assert.deepEqual([output.name, output.datatype, output.shape], ['output', datatype, [3]]);

      const bytes = randomElements(datatype);
      const inBinary = await inferOneBinary(model, datatype, [4], bytes);
      assert.equal(inBinary.status, 200, inBinary.text);
      assert.deepEqual(tail(inBinary), Buffer.from(bytes));
    });
  }

  it('serves models side by side, each its own', async () => {
    const both = await Promise.all(
      Array.from({ length: 20 }, (_, index) => [tiny([index, 1, 2, 3]), pair(index)]).flat(),
    );
    both.forEach(({ status, json, text }, index) => {
      assert.equal(status, 200, text);
      const value = Math.floor(index / 2);
      const expected = index % 2 === 0 ? tinyOutput([value, 1, 2, 3]) : [value + 10, 22];
      assert.deepEqual(json.outputs[0].data, expected);
    });
  });

  function pair(value: number, outputs?: readonly object[]): Promise<Answer> {
    const input = (name: string, data: readonly number[]) => ({
      name,
      datatype: 'FP32',
      shape: [1, 2],
      data,
    });
    return agent.infer('pair', [input('b', [10, 20]), input('a', [value, 2])], {
      ...(outputs && { outputs }),
    });
  }

  it('answers the outputs that were asked for, in that order', async () => {
    const { json } = await pair(3, [{ name: 'product' }, { name: 'sum' }]);
    assert.deepEqual(
      json.outputs.map(({ name, data }: { name: string; data: number[] }) => [name, data]),
      [
        ['product', [30, 40]],
        ['sum', [13, 22]],
      ],
    );
    const one = await pair(3, [{ name: 'product' }]);
    assert.equal(one.json.outputs.length, 1);
    await refused(pair(3, [{ name: 'quotient' }]), 400, /no output 'quotient'; it has 'sum', 'product'/);
  });

  it('answers classes with their labels', async () => {
    const answer = await classify([{ parameters: { classification: 2 } }]);
    assert.equal(answer.status, 200, answer.text);
    const [first, second] = answer.json.outputs[0].data as string[];
    assert.match(first ?? '', /^-?\d+\.\d{6}:\d+:[A-Za-z]/);
    assert.ok(Number.parseFloat(first ?? '') >= Number.parseFloat(second ?? ''));
  });

  async function classify(outputs: readonly object[]): Promise<Answer> {
    const { signature } = await agent.model('clothes');
    const [input] = signature?.inputs ?? [];
    const [output] = signature?.outputs ?? [];
    assert.ok(input && output);
    const shape = input.shape.map((dim) => Math.max(1, dim));
    const data = new Array<number>(shape.reduce((product, dim) => product * dim, 1)).fill(0.5);
    const named = outputs.map((one) => ({ name: output.name, ...one }));
    return agent.infer('clothes', [{ ...input, shape, data }], { outputs: named });
  }

  it('takes one raw tensor where the header says 0', async () => {
    const answer = await agent.ask('/v2/models/tiny/infer', {
      headers: { 'Inference-Header-Content-Length': 0 },
      body: bytesOf(Float32Array.of(1, 2, 3, 4)),
    });
    assert.equal(answer.status, 200, answer.text);
    assert.deepEqual([...new Float32Array(aligned(tail(answer)))], tinyOutput([1, 2, 3, 4]));
  });

  it('takes and gives gzip', async () => {
    const data = Array.from({ length: 2000 }, (_, index) => index);
    const body = { inputs: [{ name: 'input', datatype: 'INT32', shape: [2000], data }] };
    const answer = await agent.ask('/v2/models/same-int32/infer', {
      headers: { 'Content-Encoding': 'gzip', 'Accept-Encoding': 'gzip' },
      body: gzipSync(JSON.stringify(body)),
    });
    assert.equal(answer.status, 200, answer.text);
    assert.equal(answer.headers['content-encoding'], 'gzip');
    assert.deepEqual(JSON.parse(gunzipSync(answer.body).toString()).outputs[0].data, data);
  });

  it('says in an answer what was asked and what answered', async () => {
    const { json, headers } = await tiny([1, 0, 0, 0], { id: 'seven' });
    assert.deepEqual([json.model_name, json.model_version, json.id], ['tiny', 'v7', 'seven']);
    assert.equal(json.parameters.selvage_variant, 'original');
    assert.ok(headers['x-request-id']);
  });

  for (const [file, type, label] of [
    ['ankle-boot.png', 'image/png', 'ankle boot'],
    ['ankle-boot-large.jpg', 'image/jpeg', 'ankle boot'],
    ['trouser.png', 'image/png', 'trouser'],
    ['trouser-sideways.jpg', 'image/jpeg', 'trouser'],
    ['bag.png', 'image/png', 'bag'],
  ] as const) {
    it(`names what is on ${file}`, async () => {
      const body = readFileSync(join(EXAMPLES, 'images', file));
      const answer = await agent.ask('/predict/clothes', { headers: { 'Content-Type': type }, body });
      assert.equal(answer.status, 200, answer.text);
      const { model, variant, source, requestId, latencyMs, predictions } = answer.json;
      assert.deepEqual([model, variant, source], ['clothes', 'original', 'edge']);
      assert.equal(requestId, answer.headers['x-request-id']);
      assert.ok(latencyMs > 0);
      assert.equal(predictions.length, 3);
      assert.equal(predictions[0].label.toLowerCase(), label);
    });
  }

  it('refuses images that are none, cut off or in another format, and takes the next', async () => {
    const image = readFileSync(join(EXAMPLES, 'images/ankle-boot-large.jpg'));
    const predict = (body: Uint8Array, type = 'image/jpeg') =>
      agent.ask('/predict/clothes', { headers: { 'Content-Type': type }, body });
    await refused(predict(Buffer.from('no image')), 400, /image/);
    await refused(predict(image.subarray(0, image.byteLength >> 1)), 400, /cannot be read/);
    await refused(predict(Buffer.alloc(0)), 400, /image/);
    await refused(predict(image, 'text/plain'), 415, /text\/plain/);
    await refused(predict(Buffer.from('GIF89a')), 400, /image/);
    await refused(
      agent.ask('/predict/tiny', { headers: { 'Content-Type': 'image/jpeg' }, body: image }),
      400,
      /no task/,
    );
    assert.equal((await predict(image)).status, 200);
  });

  it('refuses an image of 30,000 × 30,000 without decoding it', async () => {
    const png = readFileSync(join(EXAMPLES, 'images/bag.png'));
    png.writeUInt32BE(30_000, 16);
    png.writeUInt32BE(30_000, 20);
    await refused(
      agent.ask('/predict/clothes', { headers: { 'Content-Type': 'image/png' }, body: png }),
      400,
      /cannot be read/,
    );
  });

  it('computes with NaN as the runtime does', async () => {
    const row = bytesOf(Float32Array.of(Number.NaN, 0, 0, 0));
    const answer = await inferOneBinary('same-fp32', 'FP32', [4], row);
    assert.deepEqual([...new Float32Array(aligned(tail(answer)))], [Number.NaN, 0, 0, 0]);
    const inputs = [{ name: 'input', datatype: 'FP32', shape: [4], parameters: { binary_data_size: 16 } }];
    const inJson = await inferBinary('same-fp32', { inputs }, [row]);
    assert.deepEqual(inJson.json.outputs[0].data, [null, 0, 0, 0]);
    await refused(tiny([Number.NaN, 0, 0, 0]), 400, /found null/);
  });

  it('refuses strings with NUL, which the runtime would cut', async () => {
    const input = { name: 'input', datatype: 'BYTES', shape: [1], data: ['a\0b'] };
    await refused(agent.infer('same-bytes', [input]), 400, /NUL byte in element 0/);
    const bytes = joinBytes([Buffer.from('a\0b')]);
    await refused(inferOneBinary('same-bytes', 'BYTES', [1], bytes), 400, /NUL byte/);
  });

  it('takes tensors that begin anywhere in the body', async () => {
    for (const spaces of [0, 1, 2, 3]) {
      const parameters = { binary_data_size: 16 };
      const inputs = [{ name: 'input', datatype: 'FP32', shape: [1, 4], parameters }];
      const answer = await inferBinary('tiny', { inputs, id: ' '.repeat(spaces) }, [
        bytesOf(Float32Array.of(1, 2, 3, 4)),
      ]);
      assert.deepEqual(answer.json.outputs[0].data, tinyOutput([1, 2, 3, 4]), answer.text);
    }
  });

  it('refuses binary sizes that do not fit the tensor or the body', async () => {
    const row = bytesOf(Float32Array.of(1, 2, 3, 4));
    for (const size of [0, 1, 3, 15, 17, 4096]) {
      const inputs = [
        { name: 'input', datatype: 'FP32', shape: [1, 4], parameters: { binary_data_size: size } },
      ];
      await refused(inferBinary('tiny', { inputs }, [row]), 400, /bytes/);
    }
    const inputs = [{ name: 'input', datatype: 'FP32', shape: [1, 4], parameters: { binary_data_size: 16 } }];
    await refused(inferBinary('tiny', { inputs }, [row, Buffer.of(1)]), 400, /bytes/);
    for (const length of ['-1', 'x', '99999', '1e3']) {
      const headers = { 'Inference-Header-Content-Length': length };
      const answer = await agent.ask('/v2/models/tiny/infer', { headers, body: '{}' });
      assert.equal(answer.status, 400, `${length}: ${answer.text}`);
    }
  });

  const good = { name: 'input', datatype: 'FP32', shape: [1, 4], data: [1, 2, 3, 4] };
  const wrong: readonly [string, readonly object[], RegExp][] = [
    ['an unknown input', [{ ...good, name: 'inptu' }], /no input 'inptu'; it has 'input'/],
    ['no input', [], /needs input 'input'/],
    ['an input twice', [good, good], /more than once/],
    ['the wrong datatype', [{ ...good, datatype: 'INT32' }], /datatype FP32, found datatype INT32/],
    [
      'a datatype the runtime does not take',
      [{ ...good, datatype: 'BF16' }],
      /datatype "BF16" is not supported/,
    ],
    ['the wrong rank', [{ ...good, shape: [4] }], /shape \[-1,4\], found shape \[4\]/],
    ['the wrong shape', [{ ...good, shape: [4, 1] }], /shape \[-1,4\], found shape \[4,1\]/],
    ['a negative size', [{ ...good, shape: [-1, 4] }], /shape/],
    ['a size beyond all memory', [{ ...good, shape: [2 ** 52, 4] }], /shape|elements/],
    ['too few elements', [{ ...good, data: [1, 2, 3] }], /4 elements/],
    ['too many elements', [{ ...good, data: [1, 2, 3, 4, 5] }], /4 elements/],
    ['elements of another kind', [{ ...good, data: [1, 2, 'x', 4] }], /element 2/],
    [
      'data nested otherwise',
      [
        {
          ...good,
          data: [
            [1, 2],
            [3, 4],
          ],
        },
      ],
      /nested/,
    ],
    ['no data', [{ name: 'input', datatype: 'FP32', shape: [1, 4] }], /data/],
  ];
  for (const [what, inputs, pattern] of wrong) {
    it(`refuses ${what}`, () => refused(agent.infer('tiny', inputs), 400, pattern));
  }

  it('refuses JSON that is broken, deep or no request', async () => {
    const infer = (body: string) => agent.ask('/v2/models/tiny/infer', { body });
    await refused(infer('{"inputs": ['), 400, /JSON/);
    await refused(infer(`{"inputs": ${'['.repeat(100_000)}${']'.repeat(100_000)}}`), 400, /./);
    await refused(infer('[]'), 400, /object/);
    await refused(infer('{"__proto__": {"inputs": []}}'), 400, /./);
    await refused(infer(''), 400, /./);
  });

  it('refuses a body over the limit before it is all there', async () => {
    // A connection that is to be closed could be before the answer is read, as the client is still sending.
    const connections = new Agent({ keepAlive: true });
    const body = `{"inputs": "${'x'.repeat(9 * 1024 * 1024)}"}`;
    const answer = agent.ask('/v2/models/tiny/infer', { body, agent: connections });
    await refused(answer, 413, /limit of 8388608 bytes/);
    connections.destroy();
  });

  it('answers 404 to unknown models, versions and routes', async () => {
    await refused(agent.infer('tinny', [good]), 404, /no model 'tinny'; there are .*tiny/);
    await refused(agent.ask('/v2/models/tiny/versions/1'), 404, /no version '1'; it has v7/);
    assert.equal((await agent.ask('/v2/models/tiny/versions/v7')).status, 200);
    await refused(
      agent.ask('/v2/models/tiny/versions/1/infer', { body: { inputs: [good] } }),
      404,
      /version/,
    );
    await refused(agent.ask('/v3'), 404, /no GET \/v3/);
    await refused(agent.ask('/v2/models/tiny/infer'), 405, /takes POST/);
    await refused(agent.ask('/v2/repository/models/tiny/unload', { method: 'POST' }), 404, /no POST/);
    await refused(agent.ask('/v2/models/__proto__'), 404, /no model/);
  });

  it('has lost nothing by all that', async () => {
    const { json, status } = await tiny([1, 2, 3, 4]);
    assert.equal(status, 200);
    assert.deepEqual(json.outputs[0].data, tinyOutput([1, 2, 3, 4]));
    const { models } = await agent.status();
    for (const { name, state, restarts } of models)
      assert.deepEqual([name, state, restarts], [name, 'ready', 0]);
    assert.deepEqual(
      agent.logs().filter(({ level }) => level === 'error'),
      [],
    );
  });
});

/** Four elements of a datatype as bytes. */
function randomElements(datatype: Datatype): Uint8Array {
  if (datatype === 'BYTES') return joinBytes(['', 'ä', 'a b', '\n'].map((text) => Buffer.from(text)));
  if (datatype === 'BOOL') return Uint8Array.of(1, 0, 0, 1);
  // Bytes that are ordinary numbers in every format, and different in every place.
  return Uint8Array.from({ length: 4 * DATATYPES[datatype].bytes }, (_, index) => 0x21 + index);
}

/** The binary tensors of an answer. */
function tail(answer: Answer): Buffer {
  const length = Number(answer.headers['inference-header-content-length']);
  assert.ok(Number.isInteger(length), answer.text);
  return answer.body.subarray(length);
}

function aligned(bytes: Uint8Array): ArrayBuffer {
  return Uint8Array.from(bytes).buffer;
}
