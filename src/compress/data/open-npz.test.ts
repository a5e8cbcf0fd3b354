import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { assertRefused, fileIn, openForTest, signatureOf, valuesOf } from '../../../test/datasets.ts';
import { floatNpy, npyFile, zipFile } from '../../../test/numpy-files.ts';
import { temporaryDirectory } from '../../../test/temporary-directory.ts';
import type { ErrorCode } from '../../lib/errors.ts';

describe('a .npz file', () => {
  const x = floatNpy([3, 2], [1, 2, 3, 4, 5, 6]);
  const y = npyFile('<i8', [3], BigInt64Array.of(0n, 2n, 1n));

  for (const deflate of [false, true]) {
    it(`is read ${deflate ? 'deflated' : 'stored'}, with labels`, async (t) => {
      const scratchDir = temporaryDirectory(t);
      const path = fileIn(
        t,
        'a.npz',
        zipFile([
          { name: 'x.npy', data: x, deflate },
          { name: 'y.npy', data: y, deflate },
        ]),
      );
      const dataset = await openForTest(t, path, { classCount: 3, scratchDir });
      assert.deepEqual(await valuesOf(dataset, 2), [[5, 6]]);
      assert.deepEqual(await valuesOf(dataset, 0), [[1, 2]]);
      assert.deepEqual([...(dataset.labels ?? [])], [0, 2, 1]);
      assert.deepEqual(dataset.warnings, []);
      assert.deepEqual(readdirSync(scratchDir), [], 'nothing is left on disk');
    });
  }

  it('takes its only array for the only input, and names what it does not use', async (t) => {
    const renamed = await openForTest(t, fileIn(t, 'a.npz', zipFile([{ name: 'arr_0.npy', data: x }])));
    assert.deepEqual(await valuesOf(renamed, 1), [[3, 4]]);
    const more = zipFile([
      { name: 'x.npy', data: x },
      { name: 'ids.npy', data: y },
    ]);
    const dataset = await openForTest(t, fileIn(t, 'a.npz', more));
    assert.match(dataset.warnings.join(), /'ids' is no input/);
    assert.equal(dataset.labels, undefined);
  });

  it('gives every input, a state and a scalar among them', async (t) => {
    const signature = signatureOf(
      ['input.1', 'FP32', [-1, 2]],
      ['state', 'FP32', [2, 1]],
      ['sr', 'INT64', []],
    );
    const path = fileIn(
      t,
      'a.npz',
      zipFile([
        { name: 'input.1.npy', data: x },
        { name: 'state.npy', data: floatNpy([3, 2, 1], [1, 2, 3, 4, 5, 6]), deflate: true },
        { name: 'sr.npy', data: y },
      ]),
    );
    const dataset = await openForTest(t, path, { signature });
    assert.deepEqual(
      dataset.inputs.map(({ shape }) => shape),
      [[1, 2], [2, 1], []],
    );
    assert.deepEqual(await valuesOf(dataset, 1), [[3, 4], [3, 4], [2]]);
  });

  it('has the same fingerprint wherever it lies, another with other labels', async (t) => {
    const archive = zipFile([{ name: 'x.npy', data: x }]);
    const first = await (await openForTest(t, fileIn(t, 'a.npz', archive))).fingerprint();
    assert.match(first, /^[0-9a-f]{64}$/);
    assert.equal(await (await openForTest(t, fileIn(t, 'b.npz', archive))).fingerprint(), first);
    const labels = fileIn(t, 'l.txt', '0\n1\n2\n');
    assert.notEqual(
      await (await openForTest(t, fileIn(t, 'c.npz', archive), { labels })).fingerprint(),
      first,
    );
  });

  const zeros = npyFile('<f4', [8192, 2], new Float32Array(16_384));
  const stored = zipFile([{ name: 'x.npy', data: x }]);
  const flipped = Buffer.from(stored);
  flipped[180] = (flipped[180] ?? 0) ^ 1;
  const bad: Array<[what: string, contents: Buffer, code: ErrorCode, message: RegExp]> = [
    ['no arrays', zipFile([{ name: 'photo.jpg', data: x }]), 'DATA_INVALID', /without NumPy arrays/],
    ['nothing', zipFile([]), 'DATA_INVALID', /without NumPy arrays/],
    ['the directory missing', stored.subarray(0, stored.length - 30), 'DATA_INVALID', /directory is missing/],
    ['a flipped bit', flipped, 'DATA_INVALID', /is damaged/],
    [
      'a name twice',
      zipFile([
        { name: 'x.npy', data: x },
        { name: 'x.npy', data: x },
      ]),
      'DATA_INVALID',
      /'x' twice/,
    ],
    [
      'another name',
      zipFile([
        { name: 'a.npy', data: x },
        { name: 'b.npy', data: x },
      ]),
      'DATA_MISMATCH',
      /no array for input 'x'; there are 'a', 'b'/,
    ],
    ['encryption', zipFile([{ name: 'x.npy', data: x, flags: 1 }]), 'DATA_INVALID', /encrypted/],
    ['another method', zipFile([{ name: 'x.npy', data: x, method: 12 }]), 'DATA_INVALID', /method 12/],
    [
      'a bomb that the directory hides',
      zipFile([{ name: 'x.npy', data: zeros, deflate: true, claimBytes: 200 }]),
      'DATA_INVALID',
      /is damaged/,
    ],
    [
      'an impossible ratio',
      zipFile([{ name: 'x.npy', data: x, deflate: true, claimBytes: 2 ** 30 }]),
      'DATA_INVALID',
      /more than its \d+ packed/,
    ],
    [
      '5 GB in two arrays',
      zipFile([
        { name: 'x.npy', data: x, claimBytes: 3e9 },
        { name: 'y.npy', data: x, claimBytes: 3e9 },
      ]),
      'DATA_INVALID',
      /at most 4294967296/,
    ],
    [
      'too many labels',
      zipFile([
        { name: 'x.npy', data: x },
        { name: 'labels.npy', data: npyFile('<i4', [4], Int32Array.of(0, 1, 2, 0)) },
      ]),
      'LABELS_INVALID',
      /4 labels for 3 samples/,
    ],
    [
      'labels out of range',
      zipFile([
        { name: 'x.npy', data: x },
        { name: 'labels.npy', data: npyFile('<i4', [3], Int32Array.of(0, 1, 3)) },
      ]),
      'LABELS_INVALID',
      /label 3 is 3, expected 0 to 2 \(the model has 3 classes\)/,
    ],
    [
      'float labels',
      zipFile([
        { name: 'x.npy', data: x },
        { name: 'labels.npy', data: floatNpy([3], [0, 1, 2]) },
      ]),
      'LABELS_INVALID',
      /expected integers of shape \[3\], found FP32/,
    ],
    [
      'damaged labels',
      zipFile([
        { name: 'x.npy', data: x },
        { name: 'y.npy', data: Buffer.from('no') },
      ]),
      'LABELS_INVALID',
      /not a NumPy array/,
    ],
  ];
  for (const [what, contents, code, message] of bad) {
    it(`with ${what} is refused`, (t) =>
      assertRefused(fileIn(t, 'a.npz', contents), code, message, { classCount: 3 }));
  }

  it('with inputs of different length is refused', (t) =>
    assertRefused(
      fileIn(
        t,
        'a.npz',
        zipFile([
          { name: 'x.npy', data: x },
          { name: 'z.npy', data: floatNpy([2, 2], [1, 2, 3, 4]) },
        ]),
      ),
      'DATA_INVALID',
      /3 samples in 'x' but 2 in 'z'/,
      { signature: signatureOf(['x', 'FP32', [-1, 2]], ['z', 'FP32', [-1, 2]]) },
    ));

  it('that cannot be unpacked for want of a folder says where', (t) =>
    assertRefused(
      fileIn(t, 'a.npz', zipFile([{ name: 'x.npy', data: x, deflate: true }])),
      'FILE_UNWRITABLE',
      /missing/,
      {
        scratchDir: join(temporaryDirectory(t), 'missing'),
      },
    ));
});
