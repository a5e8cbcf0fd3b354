import { tensor } from '../../graph/build-model.ts';
import type { NodeProto } from '../../graph/gen/onnx_pb.ts';
import type { Graph } from '../../graph/graph.ts';
import { CLEAN } from '../conditions.ts';
import { isLinearOperator, type MatrixProduct, matrixProduct, weightMatrix } from '../linear-node.ts';
import { type Pass, ReportBuilder } from '../pass.ts';
import { channelView, quantizeWeights, type WeightScaling, weightScales } from '../quantize.ts';

/** Options of `int8Dynamic`. */
export interface Int8DynamicOptions extends WeightScaling {
  /** Names of nodes that stay in float. */
  readonly keep?: ReadonlySet<string>;
}

/** DynamicQuantizeLinear exists from here on. */
const OPSET_DYNAMIC = 11;

/**
 * Dynamic 8-bit matrix products: each activation gets its range when it is there, weights are symmetric by column. It
 * makes the runtime's own operators: DynamicQuantizeMatMul, or MatMulIntegerToFloat behind one DynamicQuantizeLinear
 * where several products take the same activation. Convolutions are left alone: dynamic ones are slower than float.
 */
export function int8Dynamic(options: Int8DynamicOptions = {}): Pass {
  return {
    name: 'int8-dynamic',
    needs: CLEAN,
    changes:
      'has matrix products with constant weights work on 8-bit integers, quantizing activations as they come',
    holds: CLEAN,
    edit(graph) {
      const report = new ReportBuilder();
      const products: MatrixProduct[] = [];
      for (const node of graph.sorted()) {
        const product = chosenProduct(graph, node, options);
        if ('reason' in product) report.skip(node, product.reason);
        else products.push(product);
      }
      const work = { graph, options, weights: new Map(), inputs: sharedInputs(graph, products) };
      for (const product of products) {
        replaceProduct(work, product);
        report.handle(product.node);
      }
      return report.report();
    },
  };
}

/** What replacing the products of a graph shares. */
interface Work {
  readonly graph: Graph;
  readonly options: Int8DynamicOptions;
  /** Names of quantized weights and their scales by what they were made of. */
  readonly weights: Map<string, readonly [integers: string, scales: string]>;
  /** Names of integers, scale and zero point of activations that several products take, once they are made. */
  readonly inputs: Map<string, readonly [integers: string, scale: string, zeroPoint: string] | undefined>;
}

function chosenProduct(
  graph: Graph,
  node: NodeProto,
  options: Int8DynamicOptions,
): MatrixProduct | { reason: string } {
  if (node.opType === 'Conv') return { reason: 'dynamic int8 convolutions are slower than float ones' };
  if (!isLinearOperator(node)) return { reason: `dynamic int8 has nothing for ${node.opType}` };
  if (options.keep?.has(node.name) === true) return { reason: 'it was asked to stay in float' };
  return matrixProduct(graph, node);
}

/** The activations that two or more products take. */
function sharedInputs(graph: Graph, products: readonly MatrixProduct[]): Work['inputs'] {
  const shared: Work['inputs'] = new Map();
  if (graph.opset() < OPSET_DYNAMIC) return shared;
  const seen = new Set<string>();
  for (const { input } of products) {
    if (seen.has(input)) shared.set(input, undefined);
    seen.add(input);
  }
  return shared;
}

function replaceProduct(work: Work, product: MatrixProduct): void {
  const { graph, inputs } = work;
  const [integers, scales] = quantizedWeights(work, product);
  const bias = product.bias === undefined ? '' : storeBias(graph, product, product.bias);
  graph.remove(product.node);
  if (product.add !== undefined) graph.remove(product.add);
  graph.requireOpset('com.microsoft', 1);
  const common = { name: product.node.name, domain: 'com.microsoft', outputs: [product.output] };
  if (!inputs.has(product.input)) {
    const taken = [product.input, integers, scales, '', bias];
    graph.add({ ...common, op: 'DynamicQuantizeMatMul', inputs: withoutEmptyEnd(taken) });
    return;
  }
  const [activation, scale, zeroPoint] = quantizedInput(work, product.input);
  const taken = [activation, integers, scale, scales, zeroPoint, '', bias];
  graph.add({ ...common, op: 'MatMulIntegerToFloat', inputs: withoutEmptyEnd(taken) });
}

function quantizedInput({ graph, inputs }: Work, input: string): readonly [string, string, string] {
  const known = inputs.get(input);
  if (known !== undefined) return known;
  const outputs = [
    graph.fresh(`${input}_quantized`),
    graph.fresh(`${input}_scale`),
    graph.fresh(`${input}_zero_point`),
  ] as const;
  graph.add({ op: 'DynamicQuantizeLinear', inputs: [input], outputs });
  inputs.set(input, outputs);
  return outputs;
}

function quantizedWeights(
  { graph, options, weights }: Work,
  product: MatrixProduct,
): readonly [string, string] {
  const key = JSON.stringify([product.weight, product.axis, product.alpha]);
  const known = weights.get(key);
  if (known !== undefined) return known;
  const matrix = weightMatrix(product);
  const dims = [matrix.length / product.channels, product.channels];
  const view = channelView(dims, 1);
  // A column of zeros has any scale.
  const scales = weightScales(matrix, view, options).map((scale) => (scale === 0 ? 1 : scale));
  const elements = quantizeWeights(matrix, view, scales, options);
  const made = [
    graph.setInitializer(tensor(graph.fresh(`${product.weight}_quantized`), 'INT8', dims, elements)),
    graph.setInitializer(tensor(graph.fresh(`${product.weight}_scale`), 'FP32', [product.channels], scales)),
  ] as const;
  weights.set(key, made);
  return made;
}

function storeBias(graph: Graph, product: MatrixProduct, bias: Float32Array): string {
  const name = graph.fresh(`${product.output}_bias`);
  return graph.setInitializer(tensor(name, 'FP32', [product.channels], bias));
}

function withoutEmptyEnd(inputs: readonly string[]): string[] {
  return inputs.slice(0, inputs.findLastIndex((name) => name !== '') + 1);
}
