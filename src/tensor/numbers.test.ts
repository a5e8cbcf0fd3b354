import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { numbersOf } from './numbers.ts';
import { bytesOf } from './tensor.ts';

describe('numbersOf', () => {
  it('gives the elements of every datatype but BYTES', () => {
    const of = (datatype: 'FP16' | 'INT64' | 'UINT64' | 'FP32' | 'BYTES', data: ArrayBufferView) => {
      const numbers = numbersOf({ name: 'x', datatype, shape: [2], data: bytesOf(data) });
      return numbers && Array.from(numbers);
    };
    assert.deepEqual(of('FP16', Uint16Array.of(0x3c00, 0xc000)), [1, -2]);
    assert.deepEqual(of('INT64', BigInt64Array.of(-5n, 2n)), [-5, 2]);
    assert.deepEqual(of('UINT64', BigUint64Array.of(2n ** 64n - 1n, 2n)), [2 ** 64, 2]);
    assert.deepEqual(of('FP32', Float32Array.of(0.5, -1)), [0.5, -1]);
    assert.equal(of('BYTES', Uint8Array.of(0, 0, 0, 0)), undefined);
  });
});
