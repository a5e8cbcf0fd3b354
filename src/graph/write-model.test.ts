import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { buildModel, tensor } from './build-model.ts';
import { readModel } from './read-model.ts';
import { encodeModel, writeModel } from './write-model.ts';

describe('writeModel', () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'selvage-write-'));
  });
  after(() => rm(folder, { recursive: true, force: true }));

  it('writes what readModel reads, and nothing beside it', async () => {
    const weights = tensor('w', 'FP64', [2], Float64Array.of(Number.NaN, -0));
    const output = { name: 'w', datatype: 'FP64', dims: [2] } as const;
    const model = buildModel({ inputs: [], outputs: [output], nodes: [], initializers: [weights] });
    const path = join(folder, 'a.onnx');
    const sizeBytes = await writeModel(path, model);
    const loaded = await readModel(path);
    assert.equal(loaded.sizeBytes, sizeBytes);
    assert.deepEqual(encodeModel(loaded.model), encodeModel(model));
    assert.deepEqual(await readdir(folder), ['a.onnx']);
  });

  it('refuses what would not fit in a file before making it', async () => {
    const half = new Uint8Array(2 ** 30);
    const weights = [tensor('a', 'INT8', [2 ** 30], half), tensor('b', 'INT8', [2 ** 30], half)];
    const model = buildModel({ inputs: [], outputs: [], nodes: [], initializers: weights });
    const path = join(folder, 'b.onnx');
    await assert.rejects(writeModel(path, model), {
      code: 'MODEL_UNSUPPORTED',
      message: /b\.onnx: .* 2\.0 GiB/,
    });
  });
});
