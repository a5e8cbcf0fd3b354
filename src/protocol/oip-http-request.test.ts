import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { binaryInput, decode, floats, signature, x } from '../../test/oip-request.ts';
import { SelvageError } from '../lib/errors.ts';
import { checkRequest } from '../tensor/check-request.ts';
import type { ModelSignature } from '../tensor/infer.ts';
import { joinBytes, typedView } from '../tensor/tensor.ts';
import { type DecodedInfer, decodeInferRequest, parseHeaderLength } from './oip-http.ts';

function values(decoded: DecodedInfer, index = 0): Array<number | bigint> {
  const tensor = decoded.request.inputs[index];
  assert.ok(tensor);
  return [...(typedView(tensor.datatype, tensor.data) as Iterable<number | bigint>)];
}

describe('decodeInferRequest', () => {
  it('reads JSON data, flat and nested', () => {
    for (const data of [
      [1.5, -2, 3, 4],
      [
        [1.5, -2],
        [3, 4],
      ],
    ]) {
      const { request, encoding } = decode(x(data));
      assert.deepEqual(values({ request, encoding }), [1.5, -2, 3, 4]);
      assert.deepEqual(request.inputs[0]?.shape, [2, 2]);
      assert.deepEqual(encoding, { outputs: [], binaryByDefault: false });
      assert.equal(request.outputs, undefined);
      checkRequest(request, signature);
    }
  });

  it('reads binary data as views on the body, at any offset', () => {
    for (const padding of ['', ' ', '  ', '   ']) {
      const json = `${JSON.stringify({ inputs: [binaryInput('x', 16)] })}${padding}`;
      const decoded = decode(json, floats);
      assert.deepEqual(values(decoded), [1.5, -2, 3, 4]);
      checkRequest(decoded.request, signature);
    }
  });

  it('does not copy binary data', () => {
    const json = Buffer.from(JSON.stringify({ inputs: [binaryInput('x', 16)] }));
    const body = Buffer.concat([json, floats]);
    const { request } = decodeInferRequest({ model: 'm', body, headerLength: json.byteLength, signature });
    assert.equal(request.inputs[0]?.data.buffer, body.buffer);
    assert.equal(request.inputs[0]?.data.byteOffset, body.byteOffset + json.byteLength);
  });

  it('mixes JSON and binary inputs, the binary ones in the order of the JSON', () => {
    const decoded = decode(
      {
        inputs: [
          binaryInput('a', 8, [2]),
          { name: 'b', datatype: 'INT8', shape: [3], data: [1, -2, 3] },
          binaryInput('c', 8, [2]),
          { name: 'd', datatype: 'FP32', shape: [0], parameters: { binary_data_size: 0 } },
        ],
      },
      floats,
    );
    assert.deepEqual(values(decoded, 0), [1.5, -2]);
    assert.deepEqual(values(decoded, 1), [1, -2, 3]);
    assert.deepEqual(values(decoded, 2), [3, 4]);
    assert.deepEqual(values(decoded, 3), []);
  });

  it('keeps id, version and parameters, and ignores keys it does not know', () => {
    const { request } = decodeInferRequest({
      model: 'm',
      version: '3',
      headerLength: undefined,
      signature,
      body: Buffer.from(
        '{"id":"ä-1","model_name":"other","later":{"a":[1]},"parameters":{"timeout":5,"note":"n"},"inputs":[]}',
      ),
    });
    assert.deepEqual(
      { ...request, parameters: { ...request.parameters } },
      {
        model: 'm',
        version: '3',
        id: 'ä-1',
        parameters: { timeout: 5, note: 'n' },
        inputs: [],
        outputs: undefined,
      },
    );
  });

  it('is not moved by keys that mean something to JavaScript', () => {
    const { request } = decode(
      '{"__proto__":{"inputs":7},"constructor":1,"parameters":{"__proto__":"p","constructor":true},"inputs":[{"__proto__":{"name":"y"},"name":"x","datatype":"FP32","shape":[1],"data":[1],"parameters":{"__proto__":1,"toString":2}}]}',
    );
    assert.deepEqual(Object.keys(request.parameters), ['__proto__', 'constructor']);
    assert.equal(request.inputs[0]?.name, 'x');
    assert.equal(({} as Record<string, unknown>)['inputs'], undefined);
  });

  it('takes null for what may be absent', () => {
    const json = {
      id: null,
      parameters: null,
      outputs: null,
      inputs: [{ ...(binaryInput('x', 16) as object), data: null }],
    };
    assert.deepEqual(values(decode(json, floats)), [1.5, -2, 3, 4]);
  });

  it('keeps 64-bit integers exact, as numbers and as decimal strings', () => {
    const json =
      '{"inputs":[{"name":"f","datatype":"FP64","shape":[1],"data":[9007199254740993]},{"name":"x","datatype":"INT64","shape":[2,2],"data":[[9223372036854775807,-9223372036854775808],["9007199254740993",-1]]},{"name":"u","datatype":"UINT64","shape":[1],"data":[18446744073709551615]}]}';
    const decoded = decode(json);
    assert.deepEqual(values(decoded, 0), [9007199254740992]);
    assert.deepEqual(values(decoded, 1), [2n ** 63n - 1n, -(2n ** 63n), 9007199254740993n, -1n]);
    assert.deepEqual(values(decoded, 2), [2n ** 64n - 1n]);
  });

  it('reads every other datatype from JSON', () => {
    for (const [datatype, data, expected] of [
      ['BOOL', [true, false, 1, 0], [1, 0, 1, 0]],
      ['UINT8', [0, 255], [0, 255]],
      ['INT8', [-128, 127], [-128, 127]],
      ['UINT16', [0, 65_535], [0, 65_535]],
      ['INT16', [-32_768, 32_767], [-32_768, 32_767]],
      ['UINT32', [0, 4_294_967_295], [0, 4_294_967_295]],
      ['INT32', [-2_147_483_648, 2_147_483_647], [-2_147_483_648, 2_147_483_647]],
      ['FP16', [1, -2, 65_504, 2 ** -24], [0x3c00, 0xc000, 0x7bff, 1]],
      ['FP32', [0.1, 3.4028234663852886e38], [Math.fround(0.1), 3.4028234663852886e38]],
      ['FP64', [0.1, 1.7976931348623157e308], [0.1, 1.7976931348623157e308]],
    ] as const) {
      assert.deepEqual(values(decode(x(data, datatype, [data.length]))), expected, datatype);
    }
    const strings = decode(x(['', 'Grüße', '世界'], 'BYTES', [3])).request.inputs[0];
    assert.deepEqual(strings?.data, joinedBuffer('', 'Grüße', '世界'));
  });

  it('takes a scalar bare or in an array', () => {
    assert.deepEqual(values(decode(x(7, 'INT32', []))), [7]);
    assert.deepEqual(values(decode(x([7], 'INT32', []))), [7]);
  });

  it('takes tensors without elements', () => {
    assert.deepEqual(values(decode(x([], 'FP32', [0, 2]))), []);
    assert.deepEqual(values(decode(x([[], []], 'FP32', [2, 0]))), []);
    assert.deepEqual(values(decode(x([], 'FP32', [2_147_483_647, 0]))), []);
  });
});

function joinedBuffer(...elements: string[]): Buffer {
  return Buffer.from(joinBytes(elements.map((element) => Buffer.from(element))));
}

describe('the raw form (header 0)', () => {
  function raw(body: Buffer, ...inputs: ModelSignature['inputs']): DecodedInfer {
    return decodeInferRequest({ model: 'm', body, headerLength: 0, signature: { inputs, outputs: [] } });
  }
  const spec = (datatype: 'FP32' | 'INT64' | 'BYTES', ...shape: number[]) =>
    ({ name: 'x', datatype, shape }) as const;

  for (const [what, body, input, shape] of [
    ['a fixed shape', floats, spec('FP32', 2, 2), [2, 2]],
    ['a free batch', floats, spec('FP32', -1, 4), [1, 4]],
    ['a free batch and a free dimension', floats, spec('FP32', -1, 2, -1), [1, 2, 2]],
    ['a free vector', floats, spec('FP32', -1), [4]],
    ['a scalar', floats.subarray(0, 4), spec('FP32'), []],
    ['no elements', Buffer.alloc(0), spec('FP32', -1, 0), [0, 0]],
  ] as const) {
    it(`takes the body as ${what}`, () => {
      const { request, encoding } = raw(body, input);
      assert.deepEqual(request.inputs[0]?.shape, shape);
      assert.deepEqual(encoding, { outputs: [], binaryByDefault: true });
      checkRequest(request, { inputs: [input], outputs: [] });
    });
  }

  it('takes a string without its length', () => {
    const { request } = raw(Buffer.from('Guten Tag'), spec('BYTES', -1));
    assert.deepEqual(request.inputs[0]?.shape, [1]);
    checkRequest(request, { inputs: [spec('BYTES', -1)], outputs: [] });
  });

  for (const [what, body, inputs, code] of [
    ['several inputs', floats, [spec('FP32', 4), spec('FP32', 4)], 'REQUEST_MALFORMED'],
    ['no input', floats, [], 'REQUEST_MALFORMED'],
    ['another size', floats, [spec('FP32', 5)], 'INPUT_MISMATCH'],
    ['part of a row', floats, [spec('FP32', -1, 3)], 'INPUT_MISMATCH'],
    ['part of an element', floats.subarray(0, 15), [spec('FP32', -1)], 'INPUT_MISMATCH'],
    ['two free dimensions beside the batch', floats, [spec('FP32', -1, -1, -1)], 'INPUT_MISMATCH'],
    ['two strings', Buffer.from('a'), [spec('BYTES', 2)], 'INPUT_MISMATCH'],
  ] as const) {
    it(`refuses ${what}`, () => {
      assert.throws(
        () => raw(body, ...inputs),
        (error) => error instanceof SelvageError && error.code === code,
      );
    });
  }

  it('says that the model is not ready where its inputs are not known yet', () => {
    assert.throws(
      () => decodeInferRequest({ model: 'm', body: floats, headerLength: 0, signature: undefined }),
      (error) => error instanceof SelvageError && error.code === 'MODEL_NOT_READY',
    );
  });
});

describe('parseHeaderLength', () => {
  it('reads a number of bytes', () => {
    assert.equal(parseHeaderLength(undefined), undefined);
    assert.equal(parseHeaderLength('0'), 0);
    assert.equal(parseHeaderLength(' 123 '), 123);
  });

  for (const header of [
    '',
    ' ',
    '-1',
    '-0',
    '1.5',
    '1e3',
    '0x10',
    '010',
    '12a',
    'NaN',
    '9007199254740992',
    '1, 2',
  ]) {
    it(`refuses ${JSON.stringify(header)}`, () => {
      assert.throws(
        () => parseHeaderLength(header),
        (error) => error instanceof SelvageError && error.code === 'REQUEST_MALFORMED',
      );
    });
  }
});
