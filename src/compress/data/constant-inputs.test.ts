import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { fileIn, openForTest, signatureOf } from '../../../test/datasets.ts';
import { floatNpy, zipFile } from '../../../test/numpy-files.ts';
import { constantInputs } from './constant-inputs.ts';

describe('constantInputs', () => {
  it('names the inputs that never change', async (t) => {
    const archive = zipFile([
      { name: 'a.npy', data: floatNpy([3, 1], [1, 1, 1]) },
      { name: 'b.npy', data: floatNpy([3, 1], [1, 1, 2]) },
    ]);
    const signature = signatureOf(['a', 'FP32', [-1, 1]], ['b', 'FP32', [-1, 1]]);
    const dataset = await openForTest(t, fileIn(t, 'a.npz', archive), { signature });
    assert.deepEqual(await constantInputs(dataset), ['a']);
    assert.deepEqual(await constantInputs({ size: 1, sample: (index) => dataset.sample(index) }), []);
  });
});
