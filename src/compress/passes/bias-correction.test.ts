import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { compressModel } from '../../../test/compress-models.ts';
import { testPassContract } from '../../../test/contract/pass-contract.ts';
import { temporaryDirectory } from '../../../test/temporary-directory.ts';
import { observeValues } from '../../../test/value-ranges.ts';
import { tensor } from '../../graph/build-model.ts';
import type { ModelProto } from '../../graph/gen/onnx_pb.ts';
import { Graph } from '../../graph/graph.ts';
import { linearNode } from '../linear-node.ts';
import { runPasses } from '../pipeline.ts';
import { channelView, dequantizeWeights, quantizeWeights, weightScales } from '../quantize.ts';
import { biasCorrection } from './bias-correction.ts';
import { cleanInputs } from './clean-inputs.ts';

testPassContract('bias-correction', {
  passes: ({ means }) => [biasCorrection({ means })],
  snrDb: 30,
  handles: {
    'residual-cnn': ['first', 'depthwise', 'pointwise', 'head'],
    perceptron: ['first', 'third'],
    'if-body': ['first'],
  },
});

describe('bias-correction', () => {
  it('takes the mean error out of every output channel', async (t) => {
    const folder = temporaryDirectory(t);
    for (const name of ['residual-cnn', 'perceptron']) {
      const given = compressModel(name);
      const path = join(folder, `${name}.onnx`);
      const clean = runPasses(given.model, [cleanInputs()], { path }).model;
      const samples = [1, 2, 3].map((seed) => given.feeds(seed));
      const { means } = await observeValues(clean, path, samples);
      const corrected = runPasses(clean, [biasCorrection({ means, reduceRange: true })], { path });
      // The value behind the first linear node sees no other error.
      const first = name === 'perceptron' ? 'h' : 'c1';
      const errors = [];
      for (const model of [clean, corrected.model]) {
        const rounded = await observeValues(withRoundedWeights(model, 'first'), path, samples);
        errors.push(meanDistance(rounded.means.get(first), means.get(first)));
      }
      const [before = 0, after = 0] = errors;
      assert.ok(after < before / 4, `${name}: ${before} → ${after}`);
    }
  });
});

/** The model with the weights of a node rounded to 7 bits. */
function withRoundedWeights(model: ModelProto, name: string): ModelProto {
  const graph = new Graph(model);
  const node = graph.nodes.find((one) => one.name === name);
  assert.ok(node !== undefined);
  const linear = linearNode(graph, node);
  assert.ok(!('reason' in linear));
  const view = channelView(linear.dims, linear.axis);
  const scales = weightScales(linear.values, view, { reduceRange: true });
  const rounded = dequantizeWeights(
    quantizeWeights(linear.values, view, scales, { reduceRange: true }),
    view,
    scales,
  );
  graph.setInitializer(tensor(linear.weight, 'FP32', linear.dims, rounded));
  return graph.toModel();
}

function meanDistance(a: Float32Array | undefined, b: Float32Array | undefined): number {
  assert.ok(a !== undefined && b !== undefined && a.length === b.length);
  return Math.hypot(...a.map((value, channel) => value - (b[channel] ?? 0)));
}
