import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { type CompressModel, compressModel } from '../../../../test/compress-models.ts';
import { testPassContract } from '../../../../test/contract/pass-contract.ts';
import { runInRuntime } from '../../../../test/runtime.ts';
import { temporaryDirectory } from '../../../../test/temporary-directory.ts';
import { observeValues } from '../../../../test/value-ranges.ts';
import { buildModel, int, tensor } from '../../../graph/build-model.ts';
import type { ModelProto } from '../../../graph/gen/onnx_pb.ts';
import { Graph } from '../../../graph/graph.ts';
import { readModel } from '../../../graph/read-model.ts';
import { writeModel } from '../../../graph/write-model.ts';
import { runPasses } from '../../pipeline.ts';
import type { ValueRange } from '../../quantize.ts';
import { recipePasses } from '../../recipes.ts';
import { biasCorrection } from '../bias-correction.ts';
import { int8Static } from './int8-static.ts';
import type { Int8StaticOptions } from './options.ts';

const handles = {
  'residual-cnn': ['first', 'depthwise', 'pointwise', 'residual', 'pool', 'average', 'flatten', 'head'],
  'opset11-cnn': ['first', 'pool', 'average', 'gate', 'sigmoid', 'gated', 'last'],
  'concat-cnn': ['first', 'left', 'right', 'clipped', 'larger', 'after', 'plain', 'turn', 'last'],
  perceptron: ['first', 'third'],
  'if-body': ['first'],
};

testPassContract('int8-static', { passes: ({ ranges }) => [int8Static({ ranges })], snrDb: 22, handles });
testPassContract('int8-static after bias correction', {
  passes: ({ ranges, means }) => [biasCorrection({ means }), int8Static({ ranges })],
  snrDb: 22,
  handles,
});
testPassContract('int8-static with signed activations and 7-bit weights', {
  passes: ({ ranges }) => [
    int8Static({ ranges, activations: 's8', reduceRange: true, clipping: 'mse', keep: new Set(['gate']) }),
  ],
  snrDb: 20,
  handles: { 'residual-cnn': handles['residual-cnn'], 'opset11-cnn': ['first', 'last'] },
});

describe('int8-static', () => {
  it('becomes integer kernels in the runtime', async (t) => {
    assert.deepEqual(await operatorsInRuntime(t, compressModel('residual-cnn')), {
      QuantizeLinear: 1,
      QLinearConv: 3,
      QLinearAdd: 1,
      MaxPool: 1,
      QLinearGlobalAveragePool: 1,
      Flatten: 1,
      QGemm: 1,
    });
  });

  it('becomes integer kernels in old opsets too', async (t) => {
    assert.deepEqual(await operatorsInRuntime(t, compressModel('opset11-cnn')), {
      QuantizeLinear: 1,
      QLinearConv: 3,
      MaxPool: 1,
      QLinearAveragePool: 1,
      QLinearSigmoid: 1,
      QLinearMul: 1,
      DequantizeLinear: 1,
      GlobalAveragePool: 1,
      Flatten: 1,
    });
    const old = await operatorsInRuntime(t, compressModel('old-cnn'));
    assert.deepEqual(
      [old['QLinearConv'], old['QGemm'], old['Conv'], old['Gemm']],
      [2, 1, undefined, undefined],
    );
  });

  it('leaves nothing in float between what Concat, Resize and Transpose join', async (t) => {
    assert.deepEqual(await operatorsInRuntime(t, compressModel('concat-cnn')), {
      QuantizeLinear: 1,
      QLinearConv: 5,
      QLinearConcat: 2,
      Resize: 1,
      Transpose: 1,
      DequantizeLinear: 1,
      GlobalAveragePool: 1,
      Flatten: 1,
    });
  });

  it('removes a Relu or Clip only where quantization cuts off the same', () => {
    const clamps = (max: number) => {
      const ranges = conv1x1Ranges({ min: 0, max });
      const { model } = runPasses(conv1x1(6), recipePasses({ method: 'int8-static', ranges }), { path: 'm' });
      return operators(model).filter((operator) => operator === 'Clip').length;
    };
    assert.equal(clamps(6), 0);
    assert.equal(clamps(4), 0);
    // Values above 6 would come through.
    assert.equal(clamps(7), 1);
  });

  it('ties the scales of what a Concat joins unless that would undo a Clip', async (t) => {
    const { model } = await quantize(compressModel('concat-cnn'), temporaryDirectory(t));
    const graph = new Graph(model);
    const scaleOf = (value: string) => graph.floats(graph.producer(value)?.input[1] ?? '')?.[0];
    // Resize and Transpose give on the scale of the Concat before them.
    assert.notEqual(scaleOf('u1'), undefined);
    assert.notEqual(scaleOf('r2'), scaleOf('u1'));
    const concat = graph.nodes.find(({ name }) => name === 'plain');
    const ofConcat = concat?.input.map((name) => graph.producer(name)?.input[1] ?? '');
    assert.equal(ofConcat?.length, 2);
    for (const scale of ofConcat ?? []) assert.equal(graph.floats(scale)?.[0], scaleOf('t'));
  });

  it('gives a bias exactly the scale input × weight, also where a dead channel would overflow', () => {
    const weights = Float32Array.of(0.5, 1e-13, 0);
    const bias = Float32Array.of(1, 5, -5);
    const ranges = conv1x1Ranges({ min: 0, max: 6 });
    const { model } = runPasses(conv1x1(6, weights, bias), recipePasses({ method: 'int8-static', ranges }), {
      path: 'm',
    });
    const graph = new Graph(model);
    const conv = graph.nodes.find(({ opType }) => opType === 'Conv');
    const [input, weight, biasNode] = conv?.input.map((name) => graph.producer(name)) ?? [];
    const inputScale = graph.floats(input?.input[1] ?? '')?.[0] ?? 0;
    const weightScales = graph.floats(weight?.input[1] ?? '') ?? [];
    const biasScales = graph.floats(biasNode?.input[1] ?? '') ?? [];
    const stored = graph.integers(biasNode?.input[0] ?? '') ?? [];
    for (const [channel, value] of bias.entries()) {
      assert.equal(biasScales[channel], Math.fround(inputScale * (weightScales[channel] ?? 0)));
      assert.ok(
        Math.abs((stored[channel] ?? 0) * (biasScales[channel] ?? 0) - value) < 0.01,
        `channel ${channel}`,
      );
    }
  });

  it('survives ranges without extent, and refuses those that are not finite or missing', () => {
    const run = (range: ValueRange | undefined) => {
      const ranges = new Map([['x', { min: 0, max: 0 }]]);
      if (range !== undefined) ranges.set('c', range).set('y', range);
      const [report] = runPasses(conv1x1(6), recipePasses({ method: 'int8-static', ranges }), {
        path: 'm',
      }).reports.slice(-1);
      return report?.handled.length;
    };
    assert.equal(run({ min: 0, max: 0 }), 1);
    assert.equal(run({ min: 0, max: Number.POSITIVE_INFINITY }), 0);
    assert.equal(run({ min: Number.NaN, max: 1 }), 0);
    assert.equal(run(undefined), 0);
  });

  it('keeps asked nodes in float with integers around them', async (t) => {
    const folder = temporaryDirectory(t);
    const { model, reports } = await quantize(compressModel('residual-cnn'), folder, {
      keep: new Set(['depthwise']),
    });
    const skipped = reports.at(-1)?.skipped.find(({ node }) => node === 'depthwise');
    assert.equal(skipped?.reason, 'it was asked to stay in float');
    const graph = new Graph(model);
    const kept = graph.nodes.find(({ name }) => name === 'depthwise');
    assert.equal(graph.floats(kept?.input[1] ?? '')?.length, 8 * 9);
    assert.ok(operators(model).includes('Clip'), 'the Clip behind it stays with it');
  });

  it('stores shared weights once and a bias for each input scale', async (t) => {
    const { model } = await quantize(compressModel('concat-cnn'), temporaryDirectory(t));
    const names = model.graph?.initializer.map(({ name }) => name) ?? [];
    assert.deepEqual(
      names.filter((name) => name.startsWith('w2')),
      ['w2_quantized', 'w2_scale'],
    );
    assert.equal(names.filter((name) => name.startsWith('b2_quantized')).length, 2);
  });
});

async function quantize(given: CompressModel, folder: string, options: Partial<Int8StaticOptions> = {}) {
  const path = join(folder, `${given.name}.onnx`);
  const clean = runPasses(given.model, recipePasses({ method: 'simplify' }), { path }).model;
  const { ranges } = await observeValues(clean, path, [given.feeds(1), given.feeds(2)]);
  return runPasses(clean, recipePasses({ method: 'int8-static', ranges, ...options }), { path });
}

/** How often each operator is in what the runtime makes of the quantized model. */
async function operatorsInRuntime(t: TestContext, given: CompressModel): Promise<Record<string, number>> {
  const folder = temporaryDirectory(t);
  const { model } = await quantize(given, folder);
  const path = join(folder, 'quantized.onnx');
  const optimizedPath = join(folder, 'optimized.onnx');
  await writeModel(path, model);
  const [result] = await runInRuntime([{ path, optimizedPath }]);
  assert.equal(result?.error, undefined);
  const counts: Record<string, number> = {};
  for (const operator of operators((await readModel(optimizedPath)).model)) {
    counts[operator] = (counts[operator] ?? 0) + 1;
  }
  return counts;
}

function operators(model: ModelProto): string[] {
  return model.graph?.node.map(({ opType }) => opType) ?? [];
}

/** `x` → Conv of 1×1 with three channels → Clip from 0 to `max` → `y`. */
function conv1x1(
  max: number,
  weights = Float32Array.of(1, 2, 3),
  bias = Float32Array.of(0, 0, 0),
): ModelProto {
  const scalar = (name: string, value: number) => tensor(name, 'FP32', [], Float32Array.of(value));
  return buildModel({
    opset: 13,
    inputs: [{ name: 'x', datatype: 'FP32', dims: [1, 1, 4, 4] }],
    outputs: [{ name: 'y', datatype: 'FP32', dims: [1, 3, 4, 4] }],
    nodes: [
      { op: 'Conv', name: 'conv', inputs: ['x', 'w', 'b'], outputs: ['c'], attributes: { group: int(1) } },
      { op: 'Clip', name: 'clip', inputs: ['c', 'low', 'high'], outputs: ['y'] },
    ],
    initializers: [
      tensor('w', 'FP32', [3, 1, 1, 1], weights),
      tensor('b', 'FP32', [3], bias),
      scalar('low', 0),
      scalar('high', max),
    ],
  });
}

/** Ranges for `conv1x1`, with that of the Clip's output. */
function conv1x1Ranges(output: ValueRange): Map<string, ValueRange> {
  return new Map([
    ['x', { min: -1, max: 3 }],
    ['c', { min: -9, max: 9 }],
    ['y', output],
  ]);
}
