import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SelvageError } from '../lib/errors.ts';
import type { Datatype } from '../tensor/datatype.ts';
import { bytesOf, splitBytes, type Tensor } from '../tensor/tensor.ts';
import { classify, classifyOutputs } from './classification.ts';

function tensor(datatype: Datatype, shape: number[], data: ArrayBufferView): Tensor {
  return { name: 'y', datatype, shape, data: bytesOf(data) };
}

function strings(output: Tensor): string[] {
  return (splitBytes(output.data) ?? []).map((element) => Buffer.from(element).toString());
}

describe('classify', () => {
  it('answers the largest of each batch entry with Triton’s six decimals', () => {
    const output = classify(tensor('FP32', [2, 3], Float32Array.of(0.1, 0.7, 0.2, 3, -1, 4.5)), 2, undefined);
    assert.deepEqual(output.shape, [2, 2]);
    assert.equal(output.datatype, 'BYTES');
    assert.deepEqual(strings(output), ['0.700000:1', '0.200000:2', '4.500000:2', '3.000000:0']);
  });

  it('adds labels where there are some', () => {
    const output = classify(tensor('FP32', [3], Float32Array.of(1, 2, 3)), 3, ['cat', 'dog']);
    assert.deepEqual(output.shape, [3]);
    assert.deepEqual(strings(output), ['3.000000:2', '2.000000:1:dog', '1.000000:0:cat']);
  });

  it('asks for no more classes than there are', () => {
    const output = classify(tensor('UINT8', [1, 2], Uint8Array.of(7, 9)), 1000, undefined);
    assert.deepEqual(output.shape, [1, 2]);
    assert.deepEqual(strings(output), ['9:1', '7:0']);
  });

  it('orders equal scores by index, NaN last, and 64-bit integers exactly', () => {
    const floats = tensor('FP64', [5], Float64Array.of(1, Number.NaN, 1, Number.NEGATIVE_INFINITY, 1e22));
    assert.deepEqual(strings(classify(floats, 5, undefined)), [
      '10000000000000000000000.000000:4',
      '1.000000:0',
      '1.000000:2',
      '-inf:3',
      'nan:1',
    ]);
    const integers = tensor('INT64', [3], BigInt64Array.of(2n ** 53n, 2n ** 53n + 1n, -5n));
    assert.deepEqual(strings(classify(integers, 2, undefined)), ['9007199254740993:1', '9007199254740992:0']);
  });

  it('ranks everything behind the batch of a tensor with more dimensions', () => {
    const output = classify(tensor('INT32', [2, 2, 2], Int32Array.of(1, 4, 2, 3, 8, 5, 6, 7)), 1, undefined);
    assert.deepEqual(output.shape, [2, 1]);
    assert.deepEqual(strings(output), ['4:1', '8:0']);
  });

  it('gives an empty tensor for an empty batch', () => {
    const output = classify(tensor('FP32', [0, 10], new Float32Array(0)), 3, undefined);
    assert.deepEqual(output.shape, [0, 3]);
    assert.equal(output.data.byteLength, 0);
  });

  it('refuses the datatypes Triton refuses', () => {
    for (const datatype of ['BOOL', 'BYTES', 'FP16'] as const) {
      assert.throws(
        () => classify(tensor(datatype, [1], new Uint8Array(2)), 1, undefined),
        (error) => error instanceof SelvageError && error.code === 'NOT_SUPPORTED',
      );
    }
  });
});

describe('classifyOutputs', () => {
  const y = tensor('FP32', [2], Float32Array.of(1, 2));
  const response = { model: 'm', version: '1', parameters: {}, outputs: [y, { ...y, name: 'z' }] };

  it('replaces the outputs asked for and leaves the others', () => {
    const requested = [
      { name: 'z', classCount: 1 },
      { name: 'y', classCount: 0 },
    ];
    const classified = classifyOutputs(response, requested, undefined);
    assert.equal(classified.outputs[0], y);
    assert.equal(classified.outputs[1]?.datatype, 'BYTES');
  });

  it('gives the response itself where no classes are asked for', () => {
    assert.equal(classifyOutputs(response, undefined, undefined), response);
    assert.equal(classifyOutputs(response, [{ name: 'y', classCount: 0 }], undefined), response);
  });
});
