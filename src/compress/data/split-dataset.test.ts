import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SelvageError } from '../../lib/errors.ts';
import { seededRandom } from '../../lib/random.ts';
import type { Dataset } from './dataset.ts';
import { type DataPart, splitDataset } from './split-dataset.ts';

function datasetOf(size: number, labels?: Int32Array): Dataset {
  return {
    size,
    inputs: [],
    labels,
    describe: 'numbers',
    warnings: [],
    sample: async (index) => ({
      inputs: [{ name: 'x', datatype: 'UINT8', shape: [1], data: Uint8Array.of(index) }],
    }),
    fingerprint: async () => '',
    close: async () => {},
  };
}

describe('splitDataset', () => {
  it('makes disjoint parts of the sizes wanted, the same for the same seed', () => {
    const random = seededRandom(5);
    for (let round = 0; round < 200; round++) {
      const size = 3 + Math.floor(random() * 300);
      const classes = 1 + Math.floor(random() * 12);
      const labels =
        random() < 0.5 ? undefined : Int32Array.from({ length: size }, () => Math.floor(random() * classes));
      const wanted = {
        calibration: 1 + Math.floor(random() * 200),
        validation: 1 + Math.floor(random() * 200),
        test: Math.floor(random() * 100),
        seed: round,
      };
      const split = splitDataset(datasetOf(size, labels), wanted);
      const all = [...split.calibration.indices, ...split.validation.indices, ...split.test.indices];
      assert.equal(new Set(all).size, all.length, 'disjoint');
      assert.ok(all.every((index) => index >= 0 && index < size));
      const total = wanted.calibration + wanted.validation + wanted.test;
      assert.equal(all.length, Math.min(total, size));
      assert.ok(split.calibration.size >= 1 && split.validation.size >= 1);
      assert.equal(split.test.size > 0, wanted.test > 0);
      if (total <= size) assert.equal(split.calibration.size, wanted.calibration);
      const again = splitDataset(datasetOf(size, labels), wanted);
      assert.deepEqual(again.validation.indices, split.validation.indices);
    }
  });

  it('shuffles, and differently for another seed', () => {
    const orders = [1, 2].map((seed) =>
      splitDataset(datasetOf(100), {
        seed,
        calibration: 100,
        validation: 0,
        test: 0,
      }).calibration.indices.join(),
    );
    assert.notEqual(orders[0], orders[1]);
    assert.notEqual(orders[0], Array.from({ length: 100 }, (_, index) => index).join());
  });

  it('gives every part each class in its share, to one sample', () => {
    const labels = Int32Array.from({ length: 1000 }, (_, index) => (index < 700 ? 0 : index < 900 ? 1 : 2));
    const split = splitDataset(datasetOf(1000, labels), {
      seed: 9,
      calibration: 100,
      validation: 400,
      test: 500,
    });
    for (const { indices, size } of [split.calibration, split.validation, split.test]) {
      [0.7, 0.2, 0.1].forEach((share, label) => {
        const found = indices.filter((index) => labels[index] === label).length;
        assert.ok(Math.abs(found - share * size) <= 1, `${found} of class ${label} in ${size}`);
      });
    }
  });

  it('reads samples with their labels', async () => {
    const labels = Int32Array.of(4, 5, 6);
    const { test } = splitDataset(datasetOf(3, labels), { seed: 1, calibration: 1, validation: 1, test: 1 });
    const { inputs, label } = await test.sample(0);
    assert.equal(inputs[0]?.data[0], test.indices[0]);
    assert.equal(label, labels[test.indices[0] ?? 0]);
    await assert.rejects(test.sample(1), /no test sample 1/);
  });

  it('says what so few samples are too few for', () => {
    const sizes = { seed: 1, calibration: 50, validation: 200, test: 0 };
    assert.deepEqual(splitDataset(datasetOf(250), sizes).warnings, []);
    assert.deepEqual(splitDataset(datasetOf(25), sizes).warnings, [
      'only 5 samples for calibration: they may not show the ranges seen in use',
      'only 20 samples for validation: each is 5.0 points of accuracy',
    ]);
  });

  it('refuses too few samples', () => {
    assert.throws(
      () => splitDataset(datasetOf(2), { seed: 1, calibration: 100, validation: 100, test: 100 }),
      (error) =>
        error instanceof SelvageError &&
        error.code === 'DATA_EMPTY' &&
        /2 samples are too few for 3/.test(error.message),
    );
  });

  it('has parts that the compiler keeps apart', () => {
    const calibrate = (part: DataPart<'calibration'>): string => part.role;
    const { calibration, validation } = splitDataset(datasetOf(4), {
      seed: 1,
      calibration: 2,
      validation: 2,
      test: 0,
    });
    assert.equal(calibrate(calibration), 'calibration');
    // @ts-expect-error samples to judge by are not for calibration
    assert.equal(calibrate(validation), 'validation');
  });
});
