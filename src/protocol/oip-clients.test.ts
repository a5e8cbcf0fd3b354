import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { checkRequest } from '../tensor/check-request.ts';
import type { ModelSignature } from '../tensor/infer.ts';
import { bytesOf, joinBytes, type Tensor, typedView } from '../tensor/tensor.ts';
import { type DecodedInfer, decodeInferRequest, encodeInferResponse, parseHeaderLength } from './oip-http.ts';
import { timeoutOf } from './parameters.ts';

/**
 * Requests in the exact form, order and spacing in which unchanged clients write them, after the clients' own code:
 * tritonclient/http/_utils.py, _infer_input.py, _infer_result.py; kserve/protocol/infer_type.py.
 */

const signature: ModelSignature = {
  inputs: [
    { name: 'INPUT0', datatype: 'INT32', shape: [-1, 4] },
    { name: 'INPUT1', datatype: 'INT32', shape: [-1, 4] },
  ],
  outputs: [
    { name: 'OUTPUT0', datatype: 'INT32', shape: [-1, 4] },
    { name: 'OUTPUT1', datatype: 'INT32', shape: [-1, 4] },
  ],
};
const one = Buffer.from(bytesOf(Int32Array.of(1, 2, 3, 4)));
const two = Buffer.from(bytesOf(Int32Array.of(5, 6, 7, 8)));

function receive(json: string, header: 'with header' | 'without header', ...tensors: Buffer[]): DecodedInfer {
  const head = Buffer.from(json);
  const decoded = decodeInferRequest({
    model: 'simple',
    body: Buffer.concat([head, ...tensors]),
    headerLength: parseHeaderLength(header === 'with header' ? String(head.byteLength) : undefined),
    signature,
  });
  checkRequest(decoded.request, signature);
  return decoded;
}

function elements(tensor: Tensor | undefined): unknown[] {
  assert.ok(tensor);
  return [...(typedView(tensor.datatype, tensor.data) as Int32Array)];
}

/** Reads a response as tritonclient's InferResult does. */
function asTritonClient(decoded: DecodedInfer): Map<string, number[]> {
  const outputs = signature.outputs.map(({ name }, index) => ({
    name,
    datatype: 'INT32' as const,
    shape: [1, 4],
    data: new Uint8Array(index === 0 ? one : two),
  }));
  const { headers, body } = encodeInferResponse(
    { model: 'simple', version: '1', id: decoded.request.id, parameters: {}, outputs },
    decoded.encoding,
  );
  const content = Array.isArray(body) ? Buffer.concat(body) : body;
  const headerLength = headers['inference-header-content-length'];
  const jsonBytes = headerLength === undefined ? content.byteLength : Number(headerLength);
  const result = JSON.parse(content.toString('utf8', 0, jsonBytes)) as {
    outputs: Array<{ name: string; data?: number[]; parameters?: { binary_data_size?: number } }>;
  };
  let offset = jsonBytes;
  const read = new Map<string, number[]>();
  for (const { name, data, parameters } of result.outputs) {
    const size = parameters?.binary_data_size;
    if (size === undefined) {
      assert.ok(data, 'an output without binary_data_size has data');
      read.set(name, data);
    } else {
      read.set(name, [...(typedView('INT32', content.subarray(offset, offset + size)) as Int32Array)]);
      offset += size;
    }
  }
  assert.equal(offset, content.byteLength);
  return read;
}

const bothOutputs = new Map([
  ['OUTPUT0', [1, 2, 3, 4]],
  ['OUTPUT1', [5, 6, 7, 8]],
]);

describe('tritonclient.http', () => {
  it('binary inputs and no outputs listed, as by default', () => {
    const decoded = receive(
      '{"id":"1","inputs":[{"name":"INPUT0","shape":[1,4],"datatype":"INT32","parameters":{"binary_data_size":16}},{"name":"INPUT1","shape":[1,4],"datatype":"INT32","parameters":{"binary_data_size":16}}],"parameters":{"binary_data_output":true}}',
      'with header',
      one,
      two,
    );
    assert.deepEqual(decoded.request.inputs.map(elements), [
      [1, 2, 3, 4],
      [5, 6, 7, 8],
    ]);
    assert.deepEqual(decoded.encoding, { outputs: [], binaryByDefault: true });
    assert.deepEqual(asTritonClient(decoded), bothOutputs);
  });

  it('JSON inputs without the header, no outputs listed: the answer is binary all the same', () => {
    const decoded = receive(
      '{"inputs":[{"name":"INPUT0","shape":[1,4],"datatype":"INT32","data":[1,2,3,4]},{"name":"INPUT1","shape":[1,4],"datatype":"INT32","data":[5,6,7,8]}],"parameters":{"binary_data_output":true}}',
      'without header',
    );
    assert.deepEqual(decoded.request.inputs.map(elements), [
      [1, 2, 3, 4],
      [5, 6, 7, 8],
    ]);
    assert.deepEqual(asTritonClient(decoded), bothOutputs);
  });

  it('one input in each form, one output in each form, with a timeout, a priority and a sequence', () => {
    const decoded = receive(
      '{"inputs":[{"name":"INPUT0","shape":[1,4],"datatype":"INT32","data":[1,2,3,4]},{"name":"INPUT1","shape":[1,4],"datatype":"INT32","parameters":{"binary_data_size":16}}],"outputs":[{"name":"OUTPUT0","parameters":{"binary_data":true}},{"name":"OUTPUT1","parameters":{"binary_data":false}}],"parameters":{"sequence_id":5,"sequence_start":true,"sequence_end":false,"priority":2,"timeout":250000,"custom":"value"}}',
      'with header',
      two,
    );
    assert.deepEqual(elements(decoded.request.inputs[1]), [5, 6, 7, 8]);
    assert.deepEqual(decoded.request.outputs, [
      { name: 'OUTPUT0', classCount: 0 },
      { name: 'OUTPUT1', classCount: 0 },
    ]);
    assert.equal(timeoutOf(decoded.request.parameters), 250);
    assert.equal(decoded.request.parameters['custom'], 'value');
    assert.deepEqual(asTritonClient(decoded), bothOutputs);
  });

  it('classification', () => {
    const decoded = receive(
      '{"inputs":[{"name":"INPUT0","shape":[1,4],"datatype":"INT32","parameters":{"binary_data_size":16}},{"name":"INPUT1","shape":[1,4],"datatype":"INT32","parameters":{"binary_data_size":16}}],"outputs":[{"name":"OUTPUT0","parameters":{"classification":3,"binary_data":true}}]}',
      'with header',
      one,
      two,
    );
    assert.deepEqual(decoded.request.outputs, [{ name: 'OUTPUT0', classCount: 3 }]);
  });

  it('BYTES in both forms are the same tensor', () => {
    const words = { name: 'TEXT', datatype: 'BYTES', shape: [2, 1] } as const;
    const decode = (json: string, tail: Uint8Array, headerLength?: number) =>
      decodeInferRequest({
        model: 'm',
        body: Buffer.concat([Buffer.from(json), tail]),
        headerLength,
        signature: { inputs: [words], outputs: [] },
      }).request.inputs[0];
    const data = joinBytes([Buffer.from('höflich'), Buffer.from('')]);
    const binary = `{"inputs":[{"name":"TEXT","shape":[2,1],"datatype":"BYTES","parameters":{"binary_data_size":${data.byteLength}}}]}`;
    const json = '{"inputs":[{"name":"TEXT","shape":[2,1],"datatype":"BYTES","data":["h\\u00f6flich",""]}]}';
    const fromBinary = decode(binary, data, Buffer.byteLength(binary));
    const fromJson = decode(json, new Uint8Array(0));
    assert.ok(fromBinary !== undefined && fromJson !== undefined);
    assert.deepEqual(Buffer.from(fromJson.data), Buffer.from(fromBinary.data));
  });
});

describe('kserve InferenceRESTClient', () => {
  it('JSON inputs with a model name and an id, answered in JSON', () => {
    const decoded = receive(
      '{"id":"4be4e82f-5500-420a-a5c5-ac86841e271b","model_name":"simple","inputs":[{"name":"INPUT0","shape":[1,4],"datatype":"INT32","data":[[1,2,3,4]]},{"name":"INPUT1","shape":[1,4],"datatype":"INT32","data":[5,6,7,8]}]}',
      'without header',
    );
    assert.deepEqual(decoded.encoding, { outputs: [], binaryByDefault: false });
    assert.deepEqual(asTritonClient(decoded), bothOutputs);
  });

  it('binary inputs, and `data: null` where a binary tensor is empty', () => {
    const json =
      '{"id":"a","model_name":"simple","inputs":[{"name":"INPUT0","shape":[1,4],"datatype":"INT32","parameters":{"binary_data_size":16}},{"name":"INPUT1","shape":[0,4],"datatype":"INT32","parameters":{"binary_data_size":0},"data":null}],"outputs":[{"name":"OUTPUT0","parameters":{"binary_data":true}}]}';
    const decoded = receive(json, 'with header', one);
    assert.deepEqual(decoded.request.inputs.map(elements), [[1, 2, 3, 4], []]);
  });
});
