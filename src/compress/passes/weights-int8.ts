import { attributeOf, intAttribute } from '../../graph/attributes.ts';
import { int, tensor } from '../../graph/build-model.ts';
import { isDefaultDomain } from '../../graph/describe.ts';
import type { NodeProto } from '../../graph/gen/onnx_pb.ts';
import type { Graph } from '../../graph/graph.ts';
import { DATATYPES } from '../../tensor/datatype.ts';
import { CLEAN } from '../conditions.ts';
import { matrixProduct } from '../linear-node.ts';
import { type AccuracyLevel, BlockProducts } from '../matmul-nbits.ts';
import { type Pass, ReportBuilder } from '../pass.ts';
import { channelView, quantizeWeights, type WeightScaling, weightScales } from '../quantize.ts';
import { type StoredWeight, storedWeights } from '../stored-weights.ts';

/** Options of `weightsInt8`. */
export interface WeightsInt8Options extends Pick<WeightScaling, 'clipping'> {
  /**
   * `stored` (by default): the runtime makes floats of all weights when it loads the model, and runs at the speed of
   * float. `blocks`: matrix products keep 8-bit weights in memory too (MatMulNBits).
   */
  readonly products?: 'stored' | 'blocks';
  /** Rows of a block with `blocks`; by default 32. */
  readonly blockSize?: number;
  /** With `blocks`; by default 4. */
  readonly accuracyLevel?: AccuracyLevel;
  /** Tensors with fewer elements stay FP32; by default 256. */
  readonly minElements?: number;
  /** Names of nodes whose weights stay FP32. */
  readonly keep?: ReadonlySet<string>;
}

const MIN_ELEMENTS = 256;

/** Stores weights as 8-bit integers with a scale for each output channel: a quarter of the file, activations as they were. */
export function weightsInt8(options: WeightsInt8Options = {}): Pass {
  return {
    name: 'weights-int8',
    needs: CLEAN,
    changes: 'stores weights as 8-bit integers',
    holds: CLEAN,
    edit(graph) {
      const report = new ReportBuilder();
      if (options.products === 'blocks') makeBlocks(graph, options, report);
      const choice = {
        minElements: options.minElements ?? MIN_ELEMENTS,
        keep: options.keep,
        blocked: undefined,
      };
      for (const weight of storedWeights(graph, choice, report)) {
        const axes = commonAxes(weight);
        if (axes === undefined) {
          for (const user of weight.users)
            report.skip(user, `it does not say along which axis '${weight.name}' has channels`);
          continue;
        }
        storeWeight(graph, weight, axes, options);
        for (const user of weight.users) report.handle(user);
      }
      return report.report();
    },
  };
}

function makeBlocks(graph: Graph, options: WeightsInt8Options, report: ReportBuilder): void {
  const scaling = { bits: 8, blockSize: options.blockSize ?? 32, rounding: 'nearest' } as const;
  const products = new BlockProducts(graph, scaling, options.accuracyLevel ?? 4);
  for (const node of graph.sorted()) {
    if (options.keep?.has(node.name) === true) continue;
    const product = matrixProduct(graph, node);
    if ('reason' in product) continue;
    products.replace(product);
    report.handle(node);
  }
}

/** Axes along which a weight has channels: one of them, or all but the last. */
type ChannelAxes = number | 'rows' | undefined;

/** The axes of the channels that all users of a tensor agree on. */
function commonAxes({ name, dims, users }: StoredWeight): ChannelAxes {
  const found = new Set(users.map((user) => channelAxes(user, user.input.indexOf(name), dims)));
  const [axes] = found;
  return found.size === 1 ? axes : undefined;
}

function channelAxes(node: NodeProto, index: number, dims: readonly number[]): ChannelAxes {
  if (!isDefaultDomain(node.domain)) return undefined;
  switch (node.opType) {
    case 'Conv':
      return index === 1 ? 0 : undefined;
    case 'ConvTranspose':
      // [inputs, outputs of a group, …]: channels of the output lie on axis 1.
      return index === 1 ? 1 : undefined;
    case 'Gemm': {
      const transposed = intAttribute(node, index === 0 ? 'transA' : 'transB', 0) !== 0;
      return index === 1 && dims.length === 2 ? (transposed ? 0 : 1) : undefined;
    }
    case 'MatMul':
      return index === 1 && dims.length === 2 ? 1 : undefined;
    case 'Gather':
      return index === 0 && dims.length === 2 && (attributeOf(node, 'axis')?.i ?? 0n) === 0n ? 0 : undefined;
    case 'LSTM':
    case 'GRU':
    case 'RNN':
      // [directions, gates · hidden, inputs]
      return index === 1 || index === 2 ? 'rows' : undefined;
    default:
      return undefined;
  }
}

/** Integers → Cast → Mul with the scales: the runtime folds both into floats when it loads the model. */
function storeWeight(
  graph: Graph,
  { name, dims }: StoredWeight,
  axes: number | 'rows',
  options: WeightsInt8Options,
): void {
  const values = graph.floats(name) ?? new Float32Array(0);
  const last = dims.at(-1) ?? 1;
  const view = axes === 'rows' ? { channels: values.length / last, inner: last } : channelView(dims, axes);
  const scaleDims = dims.map((dim, at) => ((axes === 'rows' ? at < dims.length - 1 : at === axes) ? dim : 1));
  const scales = weightScales(values, view, options);
  const integers = graph.fresh(`${name}_quantized`);
  const floats = graph.fresh(`${name}_floats`);
  const scale = graph.fresh(`${name}_scale`);
  graph.removeInitializer(name);
  graph.setInitializer(tensor(integers, 'INT8', dims, quantizeWeights(values, view, scales, options)));
  graph.setInitializer(tensor(scale, 'FP32', scaleDims, scales));
  graph.add({
    op: 'Cast',
    inputs: [integers],
    outputs: [floats],
    attributes: { to: int(DATATYPES.FP32.onnx) },
  });
  graph.add({ op: 'Mul', inputs: [floats, scale], outputs: [name] });
}
