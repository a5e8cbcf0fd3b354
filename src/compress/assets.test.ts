import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { assetsDir, skipWithoutAssets } from '../../test/assets.ts';
import { signalToNoiseDb } from '../../test/contract/pass-contract.ts';
import { type PlainTensor, runInRuntime } from '../../test/runtime.ts';
import { observeValues } from '../../test/value-ranges.ts';
import { externalReader, inlineExternalData } from '../graph/inline-external-data.ts';
import { readModel } from '../graph/read-model.ts';
import { summarize } from '../graph/summary.ts';
import { writeModel } from '../graph/write-model.ts';
import { seededRandom } from '../lib/random.ts';
import { runPasses } from './pipeline.ts';
import { type Recipe, recipePasses } from './recipes.ts';

const WITHOUT_DATA: readonly Recipe[] = [
  { method: 'simplify' },
  { method: 'int8-dynamic', embeddings: true },
  { method: 'weights-int8' },
  { method: 'weights-int4', rounding: 'nearest' },
  { method: 'fp16' },
];

/** Small enough to pass all values through JSON. */
const STATIC = [
  'cifar10-resnet20-extdata',
  'fashion-mnist-cnn-teacher',
  'fashion-mnist-dscnn',
  'fashion-mnist-lstm',
  'mlperf-tiny-ad01-autoencoder',
  'mlperf-tiny-kws-dscnn',
  'mlperf-tiny-resnet8-cifar10',
  'mnist-cntk',
];

describe('real models', { skip: skipWithoutAssets }, () => {
  const models = join(assetsDir ?? '', 'models');
  let folder: string;
  let names: string[];
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'selvage-compress-'));
    names = (await readdir(models)).filter((name) => name.endsWith('.onnx'));
  });
  after(() => rm(folder, { recursive: true, force: true }));

  async function load(name: string) {
    const loaded = await readModel(join(models, name));
    return { ...loaded, model: inlineExternalData(loaded.model, externalReader(loaded.path), loaded.path) };
  }

  for (const recipe of WITHOUT_DATA) {
    it(`load in the runtime after ${recipe.method}`, async () => {
      const tasks = [];
      for (const name of names) {
        const { model } = runPasses((await load(name)).model, recipePasses(recipe), { path: name });
        const path = join(folder, name);
        await writeModel(path, model);
        tasks.push({ path });
      }
      const results = await runInRuntime(tasks);
      for (const [index, { error }] of results.entries()) assert.equal(error, undefined, names[index]);
    });
  }

  for (const name of STATIC) {
    it(`${name} runs in int8 near the float model`, async () => {
      const loaded = await load(`${name}.onnx`);
      const clean = runPasses(loaded.model, recipePasses({ method: 'simplify' }), loaded);
      const [input] = summarize(loaded).inputs;
      assert.ok(input?.dims !== undefined);
      const dims = input.dims.map((dim) => (typeof dim === 'number' ? dim : 1));
      const size = name.includes('mnist-cntk') || name.includes('resnet8') ? 255 : 1;
      const feeds = [1, 2, 3].map((seed) => ({ [input.name]: randomInput(dims, seed, size) }));
      const { ranges } = await observeValues(clean.model, join(folder, 'observed.onnx'), feeds);
      const quantized = runPasses(clean.model, recipePasses({ method: 'int8-static', ranges }), loaded);
      const handled = quantized.reports.at(-1)?.handled.length ?? 0;
      assert.ok(handled > 0);
      const paths = [join(folder, 'float.onnx'), join(folder, 'int8.onnx')];
      await writeModel(paths[0] ?? '', clean.model);
      await writeModel(paths[1] ?? '', quantized.model);
      const [before, after] = await runInRuntime(paths.map((path) => ({ path, feeds: feeds[0] ?? {} })));
      assert.equal(after?.error, undefined);
      for (const [output, expected] of Object.entries(before?.outputs ?? {})) {
        const actual = after?.outputs?.[output];
        assert.ok(actual !== undefined);
        const found = signalToNoiseDb(expected, actual);
        assert.ok(found > 15, `${found.toFixed(1)} dB`);
      }
    });
  }
});

function randomInput(dims: readonly number[], seed: number, size: number): PlainTensor {
  const random = seededRandom(seed);
  const count = dims.reduce((product, dim) => product * dim, 1);
  return { type: 'float32', dims, data: Array.from({ length: count }, () => Math.fround(random() * size)) };
}
