import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { runInRuntime } from '../../test/runtime.ts';
import { buildModel, float, floats, ints, text } from './build-model.ts';
import { writeModel } from './write-model.ts';

describe('buildModel', () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'selvage-build-'));
  });
  after(() => rm(folder, { recursive: true, force: true }));

  it('makes attributes of every kind as the runtime reads them', async () => {
    const model = buildModel({
      inputs: [{ name: 'x', datatype: 'FP32', dims: ['rows', 2] }],
      outputs: [{ name: 'y', datatype: 'FP32', dims: [2] }],
      nodes: [
        { op: 'LeakyRelu', inputs: ['x'], outputs: ['leaky'], attributes: { alpha: float(0.5) } },
        { op: 'Transpose', inputs: ['leaky'], outputs: ['turned'], attributes: { perm: ints([1, 0]) } },
        { op: 'Constant', inputs: [], outputs: ['w'], attributes: { value_floats: floats([1, 10]) } },
        { op: 'Einsum', inputs: ['turned', 'w'], outputs: ['y'], attributes: { equation: text('ij,j->i') } },
      ],
    });
    const path = join(folder, 'attributes.onnx');
    await writeModel(path, model);
    const feeds = { x: { type: 'float32', dims: [2, 2], data: [1, -2, 3, 4] } };
    const [result] = await runInRuntime([{ path, feeds }]);
    assert.equal(result?.error, undefined);
    assert.deepEqual(result?.outputs?.['y'], { type: 'float32', dims: [2], data: [1 + 30, -1 + 40] });
  });
});
