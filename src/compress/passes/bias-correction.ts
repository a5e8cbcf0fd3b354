import { tensor } from '../../graph/build-model.ts';
import type { Graph } from '../../graph/graph.ts';
import { CLEAN } from '../conditions.ts';
import { isLinearOperator, type LinearNode, linearNode } from '../linear-node.ts';
import { type Pass, ReportBuilder } from '../pass.ts';
import {
  channelView,
  dequantizeWeights,
  quantizeWeights,
  type WeightScaling,
  weightScales,
} from '../quantize.ts';

/** Options of `biasCorrection`; the scaling of weights must be that of the quantization that follows. */
export interface BiasCorrectionOptions extends WeightScaling {
  /** Means of activations by the name of the value, one for each input channel (axis 1 before Conv, else the last). */
  readonly means: ReadonlyMap<string, Float32Array>;
  /** Names of nodes that will stay in float. */
  readonly keep?: ReadonlySet<string>;
}

/**
 * Takes out of each output channel the mean error that quantized weights will cause: `b += (W − Ŵ) · E[x]` (analytic
 * bias correction, Nagel et al. 2019, section 4.2; padding is taken for more of the same). To run before `int8Static`.
 */
export function biasCorrection(options: BiasCorrectionOptions): Pass {
  return {
    name: 'bias-correction',
    needs: CLEAN,
    changes:
      'shifts biases by the mean error that quantizing the weights will cause, and adds biases where there are none',
    holds: CLEAN,
    edit(graph) {
      const report = new ReportBuilder();
      for (const node of graph.sorted()) {
        if (!isLinearOperator(node)) continue;
        const linear = linearNode(graph, node);
        if ('reason' in linear) {
          report.skip(node, linear.reason);
          continue;
        }
        const reason = obstacle(linear, options);
        if (reason !== undefined) {
          report.skip(node, reason);
          continue;
        }
        correct(graph, linear, options);
        report.handle(node);
      }
      return report.report();
    },
  };
}

function obstacle(linear: LinearNode, options: BiasCorrectionOptions): string | undefined {
  const { node, input, alpha } = linear;
  if (options.keep?.has(node.name) === true) return 'it was asked to stay in float';
  const means = options.means.get(input);
  if (means === undefined) return `there are no means of value '${input}'`;
  if (!means.every(Number.isFinite)) return `the means of value '${input}' are not finite`;
  const expected = inputChannels(linear);
  if (means.length !== expected)
    return `there are ${means.length} means of '${input}' for ${expected} channels`;
  return alpha === 1 ? undefined : 'it has a factor alpha';
}

function inputChannels({ operator, dims, axis, channels, values, group }: LinearNode): number {
  if (operator === 'Conv') return (dims[1] ?? 0) * group;
  return axis === 0 ? (dims[1] ?? 0) : values.length / channels;
}

function correct(graph: Graph, linear: LinearNode, options: BiasCorrectionOptions): void {
  const means = options.means.get(linear.input) ?? new Float32Array(0);
  const shift = meanError(linear, means, options);
  const bias = shift.map((error, channel) => error + (linear.bias?.[channel] ?? 0));
  const name = graph.fresh(`${linear.node.input[2] ?? linear.weight}_corrected`);
  graph.setInitializer(tensor(name, 'FP32', [bias.length], bias));
  if (linear.operator !== 'MatMul') {
    graph.setInput(linear.node, 2, name);
    linear.node.attribute = linear.node.attribute.filter((attribute) => attribute.name !== 'beta');
    return;
  }
  const [output = ''] = linear.node.output;
  const product = graph.fresh(`${output}_product`);
  graph.setOutput(linear.node, 0, product);
  graph.add({ op: 'Add', inputs: [product, name], outputs: [output] });
}

/** `(W − Ŵ) · E[x]` by output channel. */
function meanError(linear: LinearNode, means: Float32Array, scaling: WeightScaling): Float32Array {
  const { values, dims, axis, channels } = linear;
  const view = channelView(dims, axis);
  const scales = weightScales(values, view, scaling);
  const rounded = dequantizeWeights(quantizeWeights(values, view, scales, scaling), view, scales);
  const errors = new Float64Array(channels);
  for (const [index, value] of values.entries()) {
    const output = Math.floor(index / view.inner) % channels;
    const mean = means[inputChannelOf(linear, index, output)] ?? 0;
    errors[output] = (errors[output] ?? 0) + (value - (rounded[index] ?? 0)) * mean;
  }
  return Float32Array.from(errors);
}

/** The input channel that the weight at `index` multiplies. */
function inputChannelOf(
  { operator, dims, axis, channels, group }: LinearNode,
  index: number,
  output: number,
): number {
  if (operator !== 'Conv') return axis === 0 ? index % (dims[1] ?? 1) : Math.floor(index / channels);
  const perGroup = dims[1] ?? 1;
  const kernel = dims.slice(2).reduce((size, dim) => size * dim, 1);
  const within = Math.floor(index / kernel) % perGroup;
  return Math.floor(output / (channels / group)) * perGroup + within;
}
