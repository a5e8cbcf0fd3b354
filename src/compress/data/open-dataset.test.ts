import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { fileIn, pair } from '../../../test/datasets.ts';
import { floatNpy, npyFile, zipFile } from '../../../test/numpy-files.ts';
import { SelvageError } from '../../lib/errors.ts';
import { seededRandom } from '../../lib/random.ts';
import { openDataset } from './open-dataset.ts';

describe('damaged files', () => {
  it('never give anything but a SelvageError', async (t) => {
    const random = seededRandom(7);
    const x = floatNpy([3, 2], [1, 2, 3, 4, 5, 6]);
    const line = JSON.stringify({
      inputs: [{ name: 'x', datatype: 'FP32', shape: [1, 2], data: [1, 2] }],
      label: 1,
    });
    const files = [
      x,
      zipFile([{ name: 'x.npy', data: x }]),
      zipFile([
        { name: 'x.npy', data: x, deflate: true },
        { name: 'y.npy', data: npyFile('|u1', [3], Uint8Array.of(0, 1, 2)) },
      ]),
      Buffer.from(`${line}\n${line}\n`),
    ];
    const path = fileIn(t, 'damaged', '');
    for (let round = 0; round < 600; round++) {
      const bytes = Buffer.from(files[round % files.length] as Buffer);
      for (let flips = Math.ceil(random() * 4); flips > 0; flips--) {
        bytes[Math.floor(random() * bytes.length)] = Math.floor(random() * 256);
      }
      const length = random() < 0.2 ? Math.floor(random() * bytes.length) : bytes.length;
      writeFileSync(path, bytes.subarray(0, length));
      try {
        const dataset = await openDataset(path, { signature: pair, classCount: 3 });
        try {
          for (let index = 0; index < dataset.size; index++) await dataset.sample(index);
        } finally {
          await dataset.close();
        }
      } catch (error) {
        assert.ok(
          error instanceof SelvageError,
          `round ${round}: ${error instanceof Error ? error.stack : error}`,
        );
        assert.notEqual(error.code, 'INTERNAL', `round ${round}`);
      }
    }
  });
});
