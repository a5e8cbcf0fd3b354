import { int, tensor } from '../graph/build-model.ts';
import type { Graph } from '../graph/graph.ts';
import { type MatrixProduct, weightMatrix } from './linear-node.ts';
import { type BlockScaling, quantizeBlocks } from './quantize-blocks.ts';

/** How the runtime computes MatMulNBits: 0 as it likes (in FP32), 4 with activations quantized to int8 by block. */
export type AccuracyLevel = 0 | 1 | 4;

/** Makes MatMulNBits nodes of matrix products; weights that several take are stored once. */
export class BlockProducts {
  readonly #graph: Graph;
  readonly #scaling: BlockScaling;
  readonly #accuracyLevel: AccuracyLevel;
  readonly #stored = new Map<string, readonly [packed: string, scales: string, zeroPoints: string]>();

  constructor(graph: Graph, scaling: BlockScaling, accuracyLevel: AccuracyLevel) {
    this.#graph = graph;
    this.#scaling = scaling;
    this.#accuracyLevel = accuracyLevel;
  }

  /** Puts MatMulNBits (com.microsoft) in the place of a Gemm, or a MatMul and the Add behind it. */
  replace(product: MatrixProduct): void {
    const graph = this.#graph;
    const { node, add, input, output, channels, bias, values } = product;
    const weights = this.#weights(product);
    graph.requireOpset('com.microsoft', 1);
    graph.remove(node);
    if (add !== undefined) graph.remove(add);
    graph.add({
      op: 'MatMulNBits',
      name: node.name,
      domain: 'com.microsoft',
      inputs: [input, ...weights, ...(bias === undefined ? [] : ['', this.#bias(output, bias)])],
      outputs: [output],
      attributes: {
        K: int(values.length / channels),
        N: int(channels),
        bits: int(this.#scaling.bits),
        block_size: int(this.#scaling.blockSize),
        accuracy_level: int(this.#accuracyLevel),
      },
    });
  }

  #weights(product: MatrixProduct): readonly [string, string, string] {
    const { weight, axis, alpha, channels, values } = product;
    const key = JSON.stringify([weight, axis, alpha]);
    const known = this.#stored.get(key);
    if (known !== undefined) return known;
    const rows = values.length / channels;
    const made = quantizeBlocks(weightMatrix(product), rows, channels, this.#scaling);
    const blobSize = made.packed.length / (channels * made.blocks);
    const names = [
      this.#store(`${weight}_blocks`, 'UINT8', [channels, made.blocks, blobSize], made.packed),
      this.#store(`${weight}_scales`, 'FP32', [made.scales.length], made.scales),
      this.#store(`${weight}_zero_points`, 'UINT8', [made.zeroPoints.length], made.zeroPoints),
    ] as const;
    this.#stored.set(key, names);
    return names;
  }

  #bias(output: string, bias: Float32Array): string {
    return this.#store(`${output}_bias`, 'FP32', [bias.length], bias);
  }

  #store(
    base: string,
    datatype: 'UINT8' | 'FP32',
    dims: readonly number[],
    elements: ArrayBufferView,
  ): string {
    return this.#graph.setInitializer(tensor(this.#graph.fresh(base), datatype, dims, elements));
  }
}
