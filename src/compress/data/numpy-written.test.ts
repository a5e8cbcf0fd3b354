import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { packageRoot } from '../../lib/paths.ts';
import type { Datatype } from '../../tensor/datatype.ts';
import { numbersOf } from '../../tensor/numbers.ts';
import { openDataset } from './open-dataset.ts';

const fixture = (name: string) => join(packageRoot, 'test/fixtures/numpy', name);
const signature = (datatype: Datatype) => ({
  inputs: [{ name: 'x', datatype, shape: [-1, 2, 2] }],
  outputs: [],
});

describe('files that NumPy wrote (test/fixtures/numpy/make.py)', () => {
  const files: Array<[name: string, datatype: Datatype, labels: number[] | undefined]> = [
    ['savez.npz', 'FP32', [2, 0, 1]],
    ['savez-compressed.npz', 'FP32', [2, 0, 1]],
    ['half.npy', 'FP16', undefined],
  ];
  for (const [name, datatype, labels] of files) {
    it(`${name} is read`, async () => {
      const dataset = await openDataset(fixture(name), { signature: signature(datatype), classCount: 3 });
      try {
        assert.equal(dataset.size, 3);
        const { inputs } = await dataset.sample(2);
        assert.deepEqual(inputs[0]?.shape, [1, 2, 2]);
        assert.deepEqual(
          inputs.map((input) => Array.from(numbersOf(input) ?? [])),
          [[2, 2.25, 2.5, 2.75]],
        );
        assert.deepEqual(dataset.labels && [...dataset.labels], labels);
      } finally {
        await dataset.close();
      }
    });
  }

  it('an array in Fortran order is refused', async () => {
    await assert.rejects(
      openDataset(fixture('fortran.npy'), { signature: signature('FP32') }),
      /Fortran order: save it with numpy.save/,
    );
  });
});
