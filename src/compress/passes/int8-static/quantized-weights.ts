import type { Graph } from '../../../graph/graph.ts';
import type { LinearNode } from '../../linear-node.ts';
import {
  channelView,
  quantizeBias,
  quantizeWeights,
  raiseScalesForBias,
  type WeightScaling,
  weightScales,
} from '../../quantize.ts';
import type { QuantizedValues } from './quantized-values.ts';

/** Makes the integer weights and biases of linear nodes; nodes with the same weights and scales share them. */
export class QuantizedWeights {
  readonly #graph: Graph;
  readonly #values: QuantizedValues;
  readonly #scaling: WeightScaling;
  readonly #made = new Map<string, string>();

  constructor(graph: Graph, values: QuantizedValues, scaling: WeightScaling) {
    this.#graph = graph;
    this.#values = values;
    this.#scaling = scaling;
  }

  /** Replaces weights and bias of a node whose input has this scale by what their integers stand for. */
  replace(linear: LinearNode, inputScale: number): void {
    const view = channelView(linear.dims, linear.axis);
    const own = weightScales(linear.values, view, this.#scaling);
    const scales = raiseScalesForBias(own, inputScale, linear.bias);
    this.#graph.setInput(linear.node, 1, this.#weights(linear, scales));
    if (linear.bias === undefined) return;
    const bias = quantizeBias(linear.bias, inputScale, scales);
    const base = linear.node.input[2] ?? linear.weight;
    const integers = { datatype: 'INT32', dims: [linear.channels], elements: bias.values } as const;
    this.#graph.setInput(linear.node, 2, this.#values.addChannels(base, integers, bias.scales, 0));
  }

  #weights(linear: LinearNode, scales: Float32Array): string {
    const { weight, dims, axis } = linear;
    const key = JSON.stringify([weight, axis, Buffer.from(scales.buffer).toString('base64')]);
    const known = this.#made.get(key);
    if (known !== undefined) return known;
    const elements = quantizeWeights(linear.values, channelView(dims, axis), scales, this.#scaling);
    const name = this.#values.addChannels(weight, { datatype: 'INT8', dims, elements }, scales, axis);
    this.#made.set(key, name);
    return name;
  }
}
