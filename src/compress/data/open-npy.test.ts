import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { assertRefused, fileIn, openForTest, signatureOf, valuesOf } from '../../../test/datasets.ts';
import { floatNpy, npyFile } from '../../../test/numpy-files.ts';
import { type ErrorCode, SelvageError } from '../../lib/errors.ts';
import type { Datatype } from '../../tensor/datatype.ts';

describe('a .npy file', () => {
  for (const version of [1, 2, 3] as const) {
    it(`is read in format ${version}.0`, async (t) => {
      const bytes = npyFile('<f4', [3, 2], Float32Array.of(1, 2, 3, 4, 5, 6), { version });
      const dataset = await openForTest(t, fileIn(t, 'a.npy', bytes));
      assert.equal(dataset.size, 3);
      assert.deepEqual(dataset.inputs, [{ name: 'x', datatype: 'FP32', shape: [1, 2] }]);
      assert.deepEqual(await valuesOf(dataset, 0), [[1, 2]]);
      assert.deepEqual(await valuesOf(dataset, 2), [[5, 6]]);
      assert.equal(dataset.labels, undefined);
    });
  }

  const kinds: Array<[descr: string, datatype: Datatype, data: ArrayBufferView]> = [
    ['|b1', 'BOOL', Uint8Array.of(1, 0)],
    ['|u1', 'UINT8', Uint8Array.of(255, 0)],
    ['<u2', 'UINT16', Uint16Array.of(65535, 0)],
    ['<u4', 'UINT32', Uint32Array.of(4294967295, 0)],
    ['<u8', 'UINT64', BigUint64Array.of(7n, 0n)],
    ['|i1', 'INT8', Int8Array.of(-128, 0)],
    ['<i2', 'INT16', Int16Array.of(-3, 0)],
    ['<i4', 'INT32', Int32Array.of(-4, 0)],
    ['<i8', 'INT64', BigInt64Array.of(-5n, 0n)],
    ['<f2', 'FP16', Uint16Array.of(0x3c00, 0)],
    ['<f4', 'FP32', Float32Array.of(0.5, 0)],
    ['<f8', 'FP64', Float64Array.of(0.1, 0)],
  ];
  for (const [descr, datatype, data] of kinds) {
    it(`of ${descr} is ${datatype}`, async (t) => {
      const dataset = await openForTest(t, fileIn(t, 'a.npy', npyFile(descr, [2], data)), {
        signature: signatureOf(['x', datatype, [-1]]),
      });
      assert.equal(dataset.size, 2);
      const expected = datatype === 'FP16' ? 1 : Number((data as Uint8Array)[0]);
      assert.deepEqual(await valuesOf(dataset, 0), [[expected]]);
      assert.deepEqual(await valuesOf(dataset, 1), [[0]]);
    });
  }

  it('gives whole inputs where its rows have the rank of the input', async (t) => {
    const bytes = floatNpy([2, 1, 2], [1, 2, 3, 4]);
    const dataset = await openForTest(t, fileIn(t, 'a.npy', bytes), {
      signature: signatureOf(['x', 'FP32', [1, 2]]),
    });
    assert.deepEqual(await valuesOf(dataset, 1), [[3, 4]]);
    assert.deepEqual(dataset.inputs[0]?.shape, [1, 2]);
  });

  const two = Float32Array.of(1, 2);
  const bad: Array<[what: string, contents: Buffer | string, code: ErrorCode, message: RegExp]> = [
    ['an empty file', '', 'DATA_EMPTY', /is empty/],
    ['no samples', floatNpy([0, 2], []), 'DATA_EMPTY', /holds no samples/],
    ['a text file', 'hello', 'DATA_INVALID', /none of/],
    ['Fortran order', npyFile('<f4', [1, 2], two, { fortran: true }), 'DATA_INVALID', /ascontiguousarray/],
    ['big-endian', npyFile('>f4', [1, 2], two), 'DATA_INVALID', /astype\('f4'\)/],
    ['strings', npyFile('<U1', [1, 2], two), 'DATA_INVALID', /type '<U1'/],
    ['objects', npyFile('|O', [1], two), 'DATA_INVALID', /type '\|O'/],
    ['complex numbers', npyFile('<c8', [1], two), 'DATA_INVALID', /type '<c8'/],
    [
      'records',
      npyFile('', [], two, { header: "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,), }" }),
      'DATA_INVALID',
      /records/,
    ],
    [
      'a header without shape',
      npyFile('', [], two, { header: "{'descr': '<f4'}" }),
      'DATA_INVALID',
      /damaged header/,
    ],
    [
      '2^60 elements',
      npyFile('<f4', [2 ** 30, 2 ** 30], two),
      'DATA_INVALID',
      /announces \d+ bytes.*there are 8/,
    ],
    ['a negative dimension', npyFile('<f4', [-1, 2], two), 'DATA_INVALID', /damaged header/],
    [
      'a dimension of 30 digits',
      npyFile('', [], two, {
        header: `{'descr': '<f4', 'fortran_order': False, 'shape': (${'9'.repeat(30)},), }`,
      }),
      'DATA_INVALID',
      /damaged header/,
    ],
    ['missing bytes', floatNpy([2, 2], [1, 2, 3]), 'DATA_INVALID', /announces 16 bytes.*there are 12/],
    [
      'more bytes than announced',
      floatNpy([1, 2], [1, 2, 3]),
      'DATA_INVALID',
      /announces 8 bytes.*there are 12/,
    ],
    [
      'a header over the end',
      npyFile('<f4', [1, 2], two).subarray(0, 40),
      'DATA_INVALID',
      /ends inside its header/,
    ],
    ['format 9', Buffer.from('\x93NUMPY\x09\x00\x10\x00{}', 'latin1'), 'DATA_INVALID', /version 9/],
    ['a single value', floatNpy([], [1]), 'DATA_INVALID', /single value/],
    [
      'another width',
      floatNpy([1, 3], [1, 2, 3]),
      'DATA_MISMATCH',
      /input 'x' is \[-1,2\], the array \[1,3\]/,
    ],
    [
      'raw pixels',
      npyFile('|u1', [1, 2], Uint8Array.of(1, 2)),
      'DATA_MISMATCH',
      /FP32, the array holds UINT8.*raw pixels/,
    ],
    ['doubles', npyFile('<f8', [1, 2], Float64Array.of(1, 2)), 'DATA_MISMATCH', /astype\('float32'\)/],
    [
      'NaN',
      floatNpy([2, 2], [1, 2, 3, Number.NaN]),
      'DATA_INVALID',
      /sample 1 has NaN in input 'x' at element 1/,
    ],
    ['infinity', floatNpy([1, 2], [1, Number.NEGATIVE_INFINITY]), 'DATA_INVALID', /-Infinity/],
  ];
  for (const [what, contents, code, message] of bad) {
    it(`with ${what} is refused`, (t) => assertRefused(fileIn(t, 'a.npy', contents), code, message));
  }

  it('is refused for a model with two inputs', (t) =>
    assertRefused(fileIn(t, 'a.npy', floatNpy([1, 2], [1, 2])), 'DATA_MISMATCH', /inputs 'a', 'b'.*npz/, {
      signature: signatureOf(['a', 'FP32', [-1, 2]], ['b', 'FP32', [-1, 2]]),
    }));

  it('with a BOOL of 2 is refused', (t) =>
    assertRefused(
      fileIn(t, 'a.npy', npyFile('|b1', [1, 1], Uint8Array.of(2))),
      'DATA_INVALID',
      /BOOL bytes 0 and 1/,
      {
        signature: signatureOf(['x', 'BOOL', [-1, 1]]),
      },
    ));

  it('that is cut off while it is in use is noticed', async (t) => {
    const path = fileIn(t, 'a.npy', floatNpy([2, 2], [1, 2, 3, 4]));
    const dataset = await openForTest(t, path);
    writeFileSync(path, floatNpy([1, 2], [1, 2]));
    await assert.rejects(
      dataset.sample(1),
      (error) => error instanceof SelvageError && error.code === 'DATA_INVALID',
    );
  });
});
