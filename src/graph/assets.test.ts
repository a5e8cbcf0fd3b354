import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { assetsDir, skipWithoutAssets } from '../../test/assets.ts';
import { runInRuntime } from '../../test/runtime.ts';
import { checkModel } from './check-model.ts';
import { externalFiles } from './external-data.ts';
import { readModel } from './read-model.ts';
import { type ModelSummary, summarize } from './summary.ts';
import { encodeModel, writeModel } from './write-model.ts';

describe('real models', { skip: skipWithoutAssets }, () => {
  const models = join(assetsDir ?? '', 'models');
  let folder: string;
  let names: string[];
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'selvage-real-'));
    names = (await readdir(models)).filter((name) => name.endsWith('.onnx'));
  });
  after(() => rm(folder, { recursive: true, force: true }));

  async function summaryOf(name: string): Promise<ModelSummary> {
    return summarize(await readModel(join(models, name)));
  }

  it('pass the checks and are written as they were read', async () => {
    assert.equal(names.length, 20);
    for (const name of names) {
      const loaded = await readModel(join(models, name));
      checkModel(loaded.model, loaded);
      assert.ok(Buffer.from(encodeModel(loaded.model)).equals(await readFile(loaded.path)), name);
    }
  });

  it('still load in the runtime when written again', async () => {
    const again = names.filter((name) => /silero|cntk|ppocr|lstm/.test(name));
    assert.equal(again.length, 5);
    const tasks = again.map((name) => ({ path: join(folder, name) }));
    for (const name of again) {
      const { model, sizeBytes } = await readModel(join(models, name));
      assert.equal(await writeModel(join(folder, name), model), sizeBytes);
    }
    for (const [index, result] of (await runInRuntime(tasks)).entries()) {
      const name = again[index] ?? '';
      assert.equal(result.error, undefined, name);
      const { inputs } = await summaryOf(name);
      assert.deepEqual(
        result.inputs,
        inputs.map((input) => input.name),
        name,
      );
    }
  });

  it('are summarized', async () => {
    const lstm = await summaryOf('fashion-mnist-lstm.onnx');
    assert.deepEqual(lstm.inputs, [{ name: 'input', datatype: 'FP32', dims: ['batch', 28, 28] }]);
    assert.deepEqual(lstm.outputs, [{ name: 'logits', datatype: 'FP32', dims: ['batch', 10] }]);
    assert.deepEqual(lstm.opsets, { 'ai.onnx': 14 });
    assert.equal(lstm.irVersion, 7);
    assert.match(lstm.producer, /^pytorch 1\.13/);
    assert.deepEqual(
      lstm.operators.filter(({ operator }) => operator === 'LSTM'),
      [{ operator: 'LSTM', count: 1 }],
    );
  });

  it('count weights in initializers that are listed as inputs, in Constant nodes and in bodies', async () => {
    const mnist = await summaryOf('mnist-cntk.onnx');
    assert.deepEqual(
      mnist.inputs.map(({ name }) => name),
      ['Input3'],
    );
    assert.deepEqual(mnist.parameters, { count: 5998, sizeBytes: 24008 });
    const silero = await summaryOf('silero_vad_v5.onnx');
    assert.deepEqual(
      silero.operators.find(({ operator }) => operator === 'If'),
      { operator: 'If', count: 25 },
    );
    assert.ok(silero.parameters.sizeBytes > 2_000_000);
    assert.deepEqual(silero.inputs.at(-1), { name: 'sr', datatype: 'INT64', dims: [] });
  });

  it('name the file their weights are in', async () => {
    const name = 'cifar10-resnet20-extdata.onnx';
    const { model } = await readModel(join(models, name));
    assert.deepEqual(externalFiles(model), [`${name}.data`]);
    assert.deepEqual((await summaryOf(name)).externalFiles, [
      { location: `${name}.data`, sizeBytes: 1073344 },
    ]);
    assert.throws(() => checkModel(model, { path: join(folder, name) }), {
      code: 'MODEL_FILE_INVALID',
      message: /'cifar10-resnet20-extdata\.onnx\.data' is missing from the model's folder/,
    });
  });
});
