import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { floats } from '../../test/oip-request.ts';
import type { InferResponse } from '../tensor/infer.ts';
import { bytesOf, joinBytes } from '../tensor/tensor.ts';
import { encodeInferResponse } from './oip-http.ts';

describe('encodeInferResponse', () => {
  const y = { name: 'y', datatype: 'FP32', shape: [2, 2], data: new Uint8Array(floats) } as const;
  const n = { name: 'n', datatype: 'INT64', shape: [1], data: bytesOf(BigInt64Array.of(2n ** 62n)) } as const;
  const response: InferResponse = { model: 'm', version: '1', parameters: {}, outputs: [y, n] };

  function joined(body: Buffer | Buffer[]): Buffer {
    return Array.isArray(body) ? Buffer.concat(body) : body;
  }

  it('answers in JSON where nothing else is asked', () => {
    const { headers, body, sizeBytes } = encodeInferResponse(response, {
      outputs: [],
      binaryByDefault: false,
    });
    assert.deepEqual(headers, { 'content-type': 'application/json' });
    const text =
      '{"model_name":"m","model_version":"1","outputs":[{"name":"y","datatype":"FP32","shape":[2,2],"data":[1.5,-2,3,4]},{"name":"n","datatype":"INT64","shape":[1],"data":[4611686018427387904]}]}';
    assert.equal(joined(body).toString(), text);
    assert.equal(sizeBytes, text.length);
  });

  it('answers each output as it was asked for, and the others by default', () => {
    const encoding = { outputs: [{ name: 'n', binary: false }], binaryByDefault: true };
    const { headers, body, sizeBytes } = encodeInferResponse(
      { ...response, id: 'ä', parameters: { selvage_a: 1 } },
      encoding,
    );
    const text =
      '{"id":"ä","model_name":"m","model_version":"1","parameters":{"selvage_a":1},"outputs":[{"name":"y","datatype":"FP32","shape":[2,2],"parameters":{"binary_data_size":16}},{"name":"n","datatype":"INT64","shape":[1],"data":[4611686018427387904]}]}';
    const jsonBytes = Buffer.byteLength(text);
    assert.deepEqual(headers, {
      'content-type': 'application/octet-stream',
      'inference-header-content-length': jsonBytes,
    });
    assert.deepEqual(joined(body), Buffer.concat([Buffer.from(text), floats]));
    assert.equal(sizeBytes, jsonBytes + 16);
  });

  it('hands large outputs over without copying them', () => {
    const data = new Uint8Array(100_000).fill(7);
    const large = { name: 'y', datatype: 'UINT8', shape: [100_000], data } as const;
    const { body, sizeBytes } = encodeInferResponse(
      { ...response, outputs: [large] },
      { outputs: [], binaryByDefault: true },
    );
    assert.ok(Array.isArray(body));
    assert.equal(body[1]?.buffer, data.buffer);
    assert.equal(joined(body).byteLength, sizeBytes);
  });

  it('writes valid JSON whatever the values', () => {
    const special = Float64Array.of(Number.NaN, Number.POSITIVE_INFINITY, -0, 1e-7, 1e21, 5e-324);
    const outputs = [
      { name: 'f"\\\n', datatype: 'FP64', shape: [6], data: bytesOf(special) },
      { name: 'h', datatype: 'FP16', shape: [2], data: bytesOf(Uint16Array.of(0x3c00, 0x7e00)) },
      { name: 'b', datatype: 'BOOL', shape: [2], data: Uint8Array.of(0, 1) },
      {
        name: 's',
        datatype: 'BYTES',
        shape: [2],
        data: joinBytes([Buffer.from('"\u2028'), Buffer.from([0xff])]),
      },
      { name: 'e', datatype: 'INT32', shape: [0], data: new Uint8Array(0) },
    ] as const;
    const { body } = encodeInferResponse({ ...response, outputs }, { outputs: [], binaryByDefault: false });
    const parsed = JSON.parse(joined(body).toString()) as {
      outputs: Array<{ name: string; data: unknown[] }>;
    };
    assert.deepEqual(
      parsed.outputs.map(({ data }) => data),
      [[null, null, 0, 1e-7, 1e21, 5e-324], [1, null], [false, true], ['"\u2028', '\ufffd'], []],
    );
    assert.equal(parsed.outputs[0]?.name, 'f"\\\n');
  });

  it('answers a model without outputs', () => {
    const { body } = encodeInferResponse(
      { ...response, outputs: [] },
      { outputs: [], binaryByDefault: true },
    );
    assert.deepEqual(JSON.parse(joined(body).toString()), {
      model_name: 'm',
      model_version: '1',
      outputs: [],
    });
  });
});
